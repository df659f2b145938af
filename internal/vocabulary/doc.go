// Command vocabulary finds words that docs/glossary.md has retired.
//
//	go run ./internal/vocabulary              every hit, as file:line: word; write …
//	go run ./internal/vocabulary -folders     the number of hits in each folder
//	go run ./internal/vocabulary notify       the hits below a folder
//
// It reads the .go, .sql and .md files that git tracks, apart from the glossary,
// this package and testdata. A word alone in double quotes is a name from
// elsewhere. The table on the page is its only list. It exits with
// 1 if it found a word.
package main
