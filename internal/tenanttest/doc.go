// Package tenanttest gives tests a database with tenants in it whose states the test
// knows.
//
// An Env has the parts of one replica up to the feed. A Tenant decides commands on
// states in memory and appends the events, so a test compares rows and answers with
// the states and the log that it has. Only tests import the package.
package tenanttest
