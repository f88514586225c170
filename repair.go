package sydradb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// RepairPlan says how a damaged database can be made whole, see [PlanRepair]. It belongs
// to one goroutine. Close it.
type RepairPlan struct {
	r   *engine.Repair
	fs  fsys.FS
	dir string
}

// RepairStep is one thing that a repair does, and why, and what is lost by it.
type RepairStep struct {
	Action  RepairAction `json:"action"`
	File    string       `json:"file"` // relative to the data directory
	Message string       `json:"message"`
}

// RepairAction says what a [RepairStep] does.
type RepairAction string

// The actions. What a repair moves or writes anew is afterwards in quarantine/, as it
// was. Nothing is deleted.
const (
	// RepairSetAside moves a file to quarantine/.
	RepairSetAside RepairAction = "set-aside"
	// RepairRewrite puts what is sound of a file in its place.
	RepairRewrite RepairAction = "rewrite"
	// RepairCreate makes what is missing.
	RepairCreate RepairAction = "create"
	// RepairForget goes on without what is missing.
	RepairForget RepairAction = "forget"
)

// PlanRepair reads the whole database in dir, as [Check] does, and works out how to end
// with one that a check passes and that opens, with what is sound still in it, as far as
// anything tells what it is: a file that only a damaged part of MANIFEST names stays if its
// size and hash can still be read there and are its own, and its place in the order of
// writes is not in doubt, and is set aside otherwise. It changes nothing: [RepairPlan.Apply] does. Until the plan is closed nobody else
// can open the database.
//
// Errors are those of Check. Besides, a directory is not repaired where files cannot be
// read, for that is not damage, or where a newer version may have written what seems
// damaged ([ErrFormat]).
func PlanRepair(ctx context.Context, dir string) (*RepairPlan, error) {
	fs, err := fsys.OS(dir)
	if err != nil {
		return nil, fmt.Errorf("sydradb: repair %s: %w", dir, err)
	}
	r, err := engine.PlanRepair(ctx, fs, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sydradb: repair %s: %w", dir, errors.Join(err, closeFS(fs)))
	}
	return &RepairPlan{r: r, fs: fs, dir: dir}, nil
}

// Report returns what the check found that the plan rests on.
func (p *RepairPlan) Report() *CheckReport { return checkReport(p.r.Report()) }

// Steps returns what Apply will do, to be shown to whoever decides. Without steps there
// is no damage.
func (p *RepairPlan) Steps() []RepairStep {
	steps := make([]RepairStep, len(p.r.Steps()))
	for i, s := range p.r.Steps() {
		steps[i] = RepairStep{RepairAction(s.Action), s.File, s.Message}
	}
	return steps
}

// Apply does what Steps says, once. If it is interrupted, by an error, a power cut or the
// end of ctx, nothing more is lost: plan again and apply that.
func (p *RepairPlan) Apply(ctx context.Context) error {
	if err := p.r.Apply(ctx); err != nil {
		return fmt.Errorf("sydradb: repair %s: %w", p.dir, err)
	}
	return nil
}

// Close lets others open the database again. Without Apply before, nothing has changed.
func (p *RepairPlan) Close() error { return errors.Join(p.r.Close(), closeFS(p.fs)) }
