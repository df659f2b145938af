package main

import (
	"context"
	"fmt"
	"io"
)

// serverFacts are what decides how fast a Postgres may be, and how safe it is.
type serverFacts struct {
	Version           string `json:"version"`
	Fsync             string `json:"fsync"`
	SynchronousCommit string `json:"synchronous_commit"`
	FullPageWrites    string `json:"full_page_writes"`
	WALSyncMethod     string `json:"wal_sync_method"`
	DataChecksums     string `json:"data_checksums"`
	SharedBuffers     string `json:"shared_buffers"`
	MaxWALSize        string `json:"max_wal_size"`
	MinWALSize        string `json:"min_wal_size"`
	MaxConnections    int    `json:"max_connections"`
	// Private is set for a Postgres that this run started.
	Private bool `json:"private"`
	// InMemory is set where a private one writes to memory: no figure is worth anything.
	InMemory bool `json:"in_memory"`
}

// sqlServerFacts reads the settings of the session's server.
const sqlServerFacts = `
SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
       current_setting('full_page_writes'), current_setting('wal_sync_method'), current_setting('data_checksums'),
       current_setting('shared_buffers'), current_setting('max_wal_size'), current_setting('min_wal_size'),
       current_setting('max_connections')::int`

func readServerFacts(ctx context.Context, d *database) (serverFacts, error) {
	f := serverFacts{Private: d.server != nil, InMemory: d.inMemory()}
	c, err := d.connect(ctx, "")
	if err != nil {
		return f, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	err = c.QueryRow(ctx, sqlServerFacts).Scan(&f.Version, &f.Fsync, &f.SynchronousCommit, &f.FullPageWrites,
		&f.WALSyncMethod, &f.DataChecksums, &f.SharedBuffers, &f.MaxWALSize, &f.MinWALSize, &f.MaxConnections)
	if err != nil {
		return f, fmt.Errorf("read the server's settings: %w", err)
	}
	return f, nil
}

// spareConnections are left for everything but the raw limits: those of a docket or
// of the store, the superuser's, the long snapshot's, the preload's, and whoever looks.
const spareConnections = 100

// connsFor is how many of the wanted connections the raw limits can have.
func (f serverFacts) connsFor(wanted int) int {
	return max(1, min(wanted, f.MaxConnections-spareConnections))
}

// durable reports whether what was acknowledged survives a crash of the machine.
func (f serverFacts) durable() bool {
	return f.Fsync == "on" && f.FullPageWrites == "on" && f.SynchronousCommit != "off" && !f.InMemory
}

// write tells them to people.
func (f serverFacts) write(w io.Writer) {
	fmt.Fprintf(w, "Postgres %s: fsync %s, synchronous_commit %s, full_page_writes %s, wal_sync_method %s, data_checksums %s, shared_buffers %s, max_wal_size %s, min_wal_size %s, max_connections %d\n",
		f.Version, f.Fsync, f.SynchronousCommit, f.FullPageWrites, f.WALSyncMethod, f.DataChecksums, f.SharedBuffers, f.MaxWALSize, f.MinWALSize, f.MaxConnections)
	if !f.durable() {
		fmt.Fprintln(w, "WARNING: this Postgres is not durable; the figures say nothing about production")
	}
}
