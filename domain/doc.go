// Package domain holds the rules of tenants, members, projects, tasks and comments,
// and nothing of how they are stored or served.
//
// It promises to be pure: no context, clock, random source, SQL or log. Times
// and ids are passed in, so the same history always folds to the same state.
//
// The shape is the same for every aggregate:
//
//	Decide(state, actor, command) ([]Event, error)   which events follow from a command
//	Evolve(state, recorded event) (state, error)     the state after an event
//
// The rules that a non-engineer should be able to read are two literals: the
// workflow (workflow.go) and the role rules (rules.go). Events and their stored
// names are in one registry (registry.go).
//
// Deliberately absent: credentials, tokens, read marks and delivery attempts.
// They are rows, not events: an event log is no place for secrets.
package domain
