// Package objectstore keeps content-addressed objects and the refs that name them.
package objectstore
