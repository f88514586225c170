package retention

import "github.com/sydradb/sydradb/internal/plant"

// ClassEnd is the last timestamp of a class in a file, Unix ns.
type ClassEnd struct {
	Class string
	End   int64
}

// File is what a sweep looks at of a live file. It spans a day at most.
type File struct {
	Path    string
	StartTS int64 // first timestamp of any class, Unix ns
	Bytes   int64
	Classes []ClassEnd // every class that has points there, once
}

// Work is what becomes of the files under horizons that are in force.
type Work struct {
	Drop    []string // paths of files of which everything is hidden
	Rewrite []string // paths of packs of which at least one class is hidden whole
}

// Plan sorts out the files that horizons reach, in their order. A file that a horizon cuts
// through stays as it is: it goes when its last point is hidden, and a rewrite for every
// hour that passes would cost more than the space is worth. A pack is rewritten when one
// of its classes is hidden whole while others stay. A file without classes is left alone.
// horizonOf is State.HorizonOf of package manifest or a function like it.
func Plan(files []File, horizonOf func(namespace string) (int64, bool)) Work {
	var w Work
	for i := range files {
		f := &files[i]
		below := 0
		for _, c := range f.Classes {
			if horizon, ok := horizonOf(c.Class); ok && (c.End < horizon || c.End == horizon && plant.Bug(plant.DropsTooMuch)) {
				below++
			}
		}
		switch {
		case below == 0:
		case below == len(f.Classes):
			w.Drop = append(w.Drop, f.Path)
		default:
			w.Rewrite = append(w.Rewrite, f.Path)
		}
	}
	return w
}
