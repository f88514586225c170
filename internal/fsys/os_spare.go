package fsys

import (
	"errors"
	"os"
	"sync"
)

// spareFiles is how many descriptors a writer keeps back: a flush and a merge have about so
// many files and directories open at a time, on two cores.
const spareFiles = 16

// spares are descriptors that are held so that there are some to give up. A process that
// serves a network runs out of them when clients do as they please; what has been
// acknowledged must reach files all the same, and a directory that cannot be opened
// cannot be synced. It is safe for concurrent use.
type spares struct {
	mu    sync.Mutex
	users int // locks that are held: who holds one is about to write
	held  []*os.File
}

// use takes spare descriptors for somebody who is about to write.
func (s *spares) use(open func() (*os.File, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	s.fillLocked(open)
}

// release gives the descriptors back if nobody is left who needs some.
func (s *spares) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	var errs []error
	for s.users == 0 && len(s.held) > 0 {
		errs = append(errs, s.dropLocked())
	}
	return errors.Join(errs...)
}

// fillLocked takes descriptors until there are enough, or there is none to be had.
// Requires: s.mu.
func (s *spares) fillLocked(open func() (*os.File, error)) {
	for s.users > 0 && len(s.held) < spareFiles {
		f, err := open()
		if err != nil {
			return
		}
		s.held = append(s.held, f)
	}
}

func (s *spares) dropLocked() error {
	last := len(s.held) - 1
	f := s.held[last]
	s.held = s.held[:last]
	return f.Close()
}

// fill makes up for what was given up.
func (s *spares) fill(open func() (*os.File, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fillLocked(open)
}

// giveUp closes one descriptor and reports whether there was one.
func (s *spares) giveUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held) > 0 && s.dropLocked() == nil
}

// sparing calls do, again and again as long as it fails for want of descriptors and there
// are spare ones. do must not have done anything when it fails so: what is opened by a
// path of several parts takes a descriptor for each.
func (o *osFS) sparing(do func() error) error {
	o.spares.fill(o.openRoot)
	for {
		err := do()
		if !isTooManyFiles(err) || !o.spares.giveUp() {
			return err
		}
	}
}

func (o *osFS) openRoot() (*os.File, error) { return o.root.Open(".") }
