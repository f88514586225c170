// Package tombstone knows what deletions hide, and keeps it in files.
package tombstone
