// Package migrations holds the database schema as numbered SQL files and runs
// them, by goose.
//
//	0001_roles.sql   what the group roles may do with the schema at all
//	0002_….sql       tables, functions, grants and policies, one noun per file
//
// The files are goose's format ("-- +goose Up", "-- +goose Down"), so the goose
// command reads them too; each runs in one transaction. A released file is never
// edited: a change is a new file.
//
// It promises that Up may be called by any number of replicas at once (one works
// under an advisory lock, the others wait), and that a call on a current
// database changes nothing.
//
// Whoever runs Up owns the tables: see package postgres on the roles.
package migrations
