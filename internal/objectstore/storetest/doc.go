// Package storetest is the conformance suite of object stores.
package storetest
