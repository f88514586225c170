package sydradb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/fsys"
)

// CheckReport is the result of [Check]: what was read, and what is wrong with it.
type CheckReport struct {
	Files      int64     `json:"files"`
	Bytes      int64     `json:"bytes"`
	Series     int64     `json:"series"`
	Segments   int64     `json:"segments"` // segment files and packs
	Packs      int64     `json:"packs"`
	Points     int64     `json:"points"`  // in segment files and packs
	Deletes    int64     `json:"deletes"` // files of deletions
	Objects    int64     `json:"objects"`
	Refs       int64     `json:"refs"`
	LogRecords int64     `json:"log_records"`
	LogPoints  int64     `json:"log_points"` // in the log and not in segment files
	Findings   []Finding `json:"findings"`
}

// Damaged reports whether any finding is [FindingDamage].
func (r *CheckReport) Damaged() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == FindingDamage })
}

// Finding is one thing that [Check] found: what is wrong with which file.
type Finding struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`   // relative to the data directory
	Offset   int64    `json:"offset"` // of the first bad byte; -1 for the file as a whole
	Message  string   `json:"message"`
}

// Severity grades a [Finding].
type Severity string

// The grades.
const (
	// FindingDamage is something that was written and is not as it was.
	FindingDamage Severity = "damage"
	// FindingLeftover is a file that nothing refers to; the next opening clears it away.
	FindingLeftover Severity = "leftover"
	// FindingUnknown is a file that does not belong to a database; it is never touched.
	FindingUnknown Severity = "unknown"
)

// Check reads every byte of the database in dir and verifies every checksum and
// invariant. It writes nothing. Damage is in the report, not in the error, which is
// for a directory that cannot be checked at all, [ErrNotDatabase], [ErrFormat]; and for
// files that cannot be read: the report then holds what was found in the others, else it
// is nil. When ctx ends, so does the check.
//
// While a process has the database open, Check reads what makes up the database at one
// moment, as [Options.ReadOnly] does, with the same errors; leftovers, objects and files
// that do not belong there are not looked at then.
func Check(ctx context.Context, dir string) (report *CheckReport, err error) {
	fs, err := fsys.OS(dir)
	if err != nil {
		return nil, fmt.Errorf("sydradb: check %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, closeFS(fs)) }()
	found, err := engine.Check(ctx, fs)
	if err != nil {
		err = fmt.Errorf("sydradb: check %s: %w", dir, err)
	}
	if found == nil {
		return nil, err
	}
	return checkReport(found), err
}

func checkReport(found *engine.CheckReport) *CheckReport {
	report := &CheckReport{
		Files: found.Files, Bytes: found.Bytes, Series: found.Series,
		Segments: found.Segments, Packs: found.Packs, Points: found.Points, Deletes: found.Deletes,
		Objects: found.Objects, Refs: found.Refs,
		LogRecords: found.LogRecords, LogPoints: found.LogPoints,
		Findings: make([]Finding, len(found.Findings)),
	}
	for i, f := range found.Findings {
		report.Findings[i] = Finding{Severity(f.Severity), f.File, f.Offset, f.Message}
	}
	return report
}
