// Package compact merges segment files: it decides which, and does it.
package compact
