package race

import (
	"testing"

	"github.com/google/pprof/profile"
)

// stack returns a sample with the functions of a stack, the innermost first.
func stack(value int64, names ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, value}}
	for _, name := range names {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
	}
	return s
}

func TestPartsOf(t *testing.T) {
	const module = "github.com/sydradb/sydradb"
	p := &profile.Profile{Sample: []*profile.Sample{
		stack(10, "runtime.memmove", module+"/internal/codec.(*coded).take", module+"/internal/segment.Read", module+".(*DB).Query", "main.main"),
		stack(20, "internal/runtime/syscall/linux.Syscall6", "os.(*File).Write", module+"/internal/wal.(*Log).Append"),
		stack(30, module+".(*Batch).Add", racePackages+"engine/sydra.(*db).Write"),
		stack(15, "runtime.gcDrain"),
		stack(0, module+"/internal/blocks.(*Array[go.shape.struct { "+module+"/internal/catalog.id }]).At"),
		stack(25, "github.com/zeebo/blake3.compress", module+"/internal/segment.Write"),
		stack(1000, "math/rand/v2.(*Rand).Int64N", racePackages+"workload.(*values).next", "main.main"),
		stack(1000, racePackages+"race.(*worker).ingest"),
	}}
	want := map[string]float64{"codec": 0.1, SystemPart: 0.2, APIPart: 0.3, RuntimePart: 0.15, "segment": 0.25, "blocks": 0}
	got := partsOf(p, module)
	if len(got) != len(want) {
		t.Errorf("parts %v", got)
	}
	for part, share := range want {
		if got[part] != share {
			t.Errorf("%q has %v, not %v", part, got[part], share)
		}
	}
}
