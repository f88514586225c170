// Package torture has no code of its own: its tests run the real binary, built once, and
// treat it as badly as a machine can. They kill it at random moments and at the n-th system
// call, fail and delay its syncs, fill its disk and send it what nobody should, and compare what
// is there afterwards with ledgers of what was sent and acknowledged.
//
// The parts: program_test.go builds, starts and ends processes; ledger_test.go holds what a
// client sent, and says whether what is found can be right; protocol_test.go has the clients, one
// for each protocol; box_test.go puts a database and its clients together, and reads all of it
// back in every way there is. The other files are tests that use these.
//
// A ledger is a file outside of the data directory, and synced: an intent before a request is
// sent, an acknowledgement after the answer. What a test left behind when it failed is kept, with
// the seed, in a directory below SYDRADB_TORTURE or that for temporary files; the test says where
// and how to look at it again.
//
// The tests run on Linux alone. They know nothing of the packages of the engine: files are read
// through the commands of the binary. They do not link Prometheus' packages either.
package torture
