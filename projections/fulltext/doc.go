// Package fulltext turns texts into the documents and the queries of the search.
//
//	document  the tsvector of a project, task or comment, stored by the read model "search"
//	query     what a person types, as the tsquery that finds documents
//	tokenize  the words of a text; documents and queries share them
//
// A lexeme starts with its scope, the tenant and the kind of thing, so a document
// is only found by a query of its own scope. The same text gives the same words on
// every server: nothing depends on the database's locale or its parser.
//
// The package is pure: its caller runs the statements. A change of the words or of
// the lexemes changes stored documents and must raise the fold version of "search".
package fulltext
