package postgres

import (
	"net/url"
	"path/filepath"
)

// Instance is a private Postgres that some other process runs.
type Instance struct {
	// PID is the postmaster's process id.
	PID    int
	socket string
}

// Running finds the private Postgres of a running docket, for a second program
// that wants to use it without owning it. False: none runs on dataDir, or this
// user may not reach it. It may still be starting, or be gone the next moment.
func Running(dataDir string) (Instance, bool) {
	// As prepareDataDir: a link and its target are one data directory.
	dir, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		return Instance{}, false
	}
	cluster := filepath.Join(dir, clusterDir)
	p, err := readPostmaster(cluster)
	if err != nil || !p.listens() {
		return Instance{}, false
	}
	id, err := identify(cluster)
	if err != nil || checkSocketDir(p.socketDir, id) != nil {
		return Instance{}, false
	}
	return Instance{PID: p.pid, socket: p.socketDir}, true
}

// URL is the pgx connection string of a login for a database of the instance.
func (i Instance) URL(login Login, database string) string {
	return socketURL(i.socket, login, database)
}

func socketURL(socket string, login Login, database string) string {
	u := url.URL{
		Scheme: "postgres",
		User:   url.User(string(login)),
		Path:   "/" + database,
		RawQuery: url.Values{
			"host": {socket}, "port": {socketPort}, "sslmode": {"disable"},
		}.Encode(),
	}
	return u.String()
}
