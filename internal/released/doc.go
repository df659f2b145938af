// Command released holds the registry of events against the last release: what a
// release can read must stay readable for ever, and what this version writes the
// last release must be able to read, so that replicas of both can share a database
// while one takes the other's place.
//
//	go run ./internal/released            in the repository
//	go run ./internal/released -dir path  elsewhere
//
// A release is a tag v<digit>…: the nearest one behind HEAD, or where none is (a
// shallow clone), the highest there is. The golden files in domain/testdata/events
// are the list of the types and schema versions that a release reads: a test of
// the domain holds them and the registry to each other.
//
// Exit status: 0 nothing is wrong, or there is nothing to compare with, and it says
// which; 1 something is; 2 it couldn't be found out.
//
// Deliberately absent: any look at the network. Tags that a clone doesn't have are
// not fetched; that they may be missing is said.
package main
