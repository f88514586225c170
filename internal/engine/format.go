package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// formatFile is the content of FORMAT, one JSON object:
//
//	{"format":1,"uuid":"<32 hex digits>","created":"<RFC 3339>","features":[]}
//
// It is written last when a directory is created, so a directory with a FORMAT is a
// whole one. features names extensions of the layout that a reader must know.
type formatFile struct {
	Format   int      `json:"format"`
	UUID     string   `json:"uuid"`
	Created  string   `json:"created"`
	Features []string `json:"features"`
}

// newFormat returns the FORMAT of a new directory.
func newFormat(now time.Time) (f formatFile, uuid [16]byte) {
	_, _ = rand.Read(uuid[:]) // never fails, says its documentation
	return formatFile{
		Format:   base.FormatVersion,
		UUID:     hex.EncodeToString(uuid[:]),
		Created:  now.UTC().Format(time.RFC3339),
		Features: []string{},
	}, uuid
}

func (f formatFile) write(fs fsys.FS) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return fsys.WriteFileAtomic(fs, base.FormatFile, append(data, '\n'))
}

// readFormat reads FORMAT and returns the directory's uuid.
func readFormat(fs fsys.FS) (uuid [16]byte, err error) {
	data, err := fsys.ReadFile(fs, base.FormatFile)
	if err != nil {
		return uuid, err
	}
	var f formatFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a damaged key would hide its value
	if err := d.Decode(&f); err != nil {
		return uuid, &base.CorruptionError{File: base.FormatFile, Offset: base.WholeFile, Err: err}
	}
	switch {
	case f.Format > base.FormatVersion:
		return uuid, fmt.Errorf("%w: the directory has format %d, this version knows formats up to %d; use a newer sydradb", ErrFormat, f.Format, base.FormatVersion)
	case len(f.Features) > 0:
		return uuid, fmt.Errorf("%w: the directory uses %q, which this version does not know; use a newer sydradb", ErrFormat, f.Features)
	case f.Format < 1:
		return uuid, &base.CorruptionError{File: base.FormatFile, Offset: base.WholeFile, Err: fmt.Errorf("format %d", f.Format)}
	}
	raw, err := hex.DecodeString(f.UUID)
	if err == nil && len(raw) != len(uuid) {
		err = errors.New("wrong length")
	}
	if err != nil {
		return uuid, &base.CorruptionError{File: base.FormatFile, Offset: base.WholeFile, Part: "uuid", Err: err}
	}
	return [16]byte(raw), nil
}
