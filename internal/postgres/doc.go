// Package postgres starts and stops Docket's private Postgres and opens pools
// on any Postgres.
//
// The private Postgres is what "docket serve" uses when no DATABASE_URL is set,
// and what tests run on. It is an ordinary server made from installed binaries:
//
//	Find binaries → lock the data directory → adopt a live server or
//	initdb → start → wait until it answers → make logins and the database
//
// Layout of a data directory:
//
//	docket.lock     held by flock while a Server exists; has its pid and command
//	postgres/       the cluster, owned by the user that Postgres runs as
//	postgres.log    what Postgres said
//	socket/         the Unix socket (elsewhere when this path would be too long)
//	postgres-dist/  binaries, only where none are installed (see download.go)
//
// It promises:
//   - No TCP port: the only way in is a Unix socket in a directory of mode 0700.
//   - Durability is never off, except with Config.Unsafe, which is for tests and
//     which no environment variable reaches.
//   - A Server that was left running because its docket was killed is adopted by
//     the next Start, not fought with.
//   - Stop returns when the process is gone.
//
// Roles. Grants and row-level security policies name two group roles, which
// cannot log in: EngineRole (append, feed, rebuild) and APIRole (reads). Whoever
// runs the migrations owns the tables. See EnsureRoles. In the private Postgres
// one login stands for each: OwnerLogin, EngineLogin and APILogin.
//
// Deliberately absent: Windows (process groups, flock and Unix sockets are
// assumed), upgrades between major versions of a cluster, backups.
package postgres
