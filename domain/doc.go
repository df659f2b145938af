// Package domain holds what Docket knows about tenants, members, projects and
// tasks, and nothing about how it is stored or served.
//
// It promises to be pure: no context, clock, random source, SQL or log. Times
// and ids are passed in, so the same history always folds to the same state.
//
// The shape is the same for every aggregate:
//
//	Decide(state, actor, command) ([]Event, error)   what would happen
//	Evolve(state, recorded event) (state, error)     what did happen
//
// The rules a non-engineer should be able to read stand in two literals: the
// workflow (workflow.go) and who may do what (rules.go). Events and their
// stored names stand in one registry (registry.go).
//
// Deliberately absent: credentials, tokens, read marks and delivery attempts.
// They are rows, not events: an event log is no place for secrets.
package domain
