// Package pgtest gives each test a fresh, migrated database on a real Postgres.
//
// A test binary has one server, started by the first New and removed when
// TestMain ends:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
//
//	func TestAppend(t *testing.T) {
//		t.Parallel()
//		db := pgtest.New(t)
//		pool := db.Engine(t)
//		…
//
// The migrations run once, into a template; a test's database is a copy of it,
// made in some tens of milliseconds and dropped at the end of the test. The
// server runs without durability and is killed, files and all, when the test
// binary dies in whatever way. The program itself isn't ready on such a server:
// tests that start it have NewDurable.
//
// DOCKET_TEST_DATABASE_URL names a server to use instead, by a superuser's URL:
// that is how the tests run against other versions of Postgres. It must be a
// server for tests: logins with a known password are made there.
package pgtest
