// Mutants breaks the code in known ways, one at a time and in a copy, and runs
// the part of internal/faults that must notice:
//
//	go run ./internal/faults/mutants [-only text] [-keep]
//
// First the chosen tests must pass on the untouched copy. Then each mutant must
// compile, and must make its test fail. It prints a table of which test killed
// which mutant, by what, and how long that took. The exit status is 0 when all
// were killed, 1 when one survived, and 2 when one couldn't be tried: a mutant
// whose text is no longer in the code, or no longer compiles, is an error and not
// a success.
//
// It writes nothing into the tree. A full run takes some minutes.
package main
