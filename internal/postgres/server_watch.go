package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverKey is where a connection keeps the ServerID that it was opened with.
const serverKey = "docket server"

// ServerID identifies one life of a Postgres server. After a failover, a restore or a
// restart it is another one, which may lack commits that the one before had acknowledged.
type ServerID struct {
	// System is the identifier that initdb made; copies of a data directory share it.
	System string
	// Timeline is raised by each promotion of a standby and each recovery to a point in time.
	Timeline uint32
	// Started is the time at which its main process started.
	Started time.Time
}

func (s ServerID) String() string {
	return fmt.Sprintf("system %s, timeline %d, started %s", s.System, s.Timeline, s.Started.UTC().Format(time.RFC3339Nano))
}

// serverSQL reads the ServerID. A standby tells the timeline that it has last replayed.
const serverSQL = `select s.system_identifier::text, pg_postmaster_start_time(),
  case when pg_is_in_recovery() then c.timeline_id
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end
from pg_control_system() s, pg_control_checkpoint() c`

// ServerWatch knows which server the pools of a program have reached last. What a program
// remembers of the database holds for that server only:
//
//	new connection ─▶ ServerID ─▶ another one? ─▶ every Forget ─▶ the connection may be used
//
// Connections to the server before it are closed when they are acquired next.
type ServerWatch struct {
	log *slog.Logger

	mu      sync.Mutex
	server  ServerID
	known   bool
	forgets []func()
}

// NewServerWatch makes a ServerWatch for the pools of one program (PoolConfig.Watch).
func NewServerWatch(log *slog.Logger) *ServerWatch { return &ServerWatch{log: log} }

// OnChange has forget called when the server is another one, before a connection to it is
// used. forget must not use a pool or wait.
func (w *ServerWatch) OnChange(forget func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgets = append(w.forgets, forget)
}

// opened asks a new connection which server it leads to.
func (w *ServerWatch) opened(ctx context.Context, conn *pgx.Conn) error {
	var id ServerID
	if err := conn.QueryRow(ctx, serverSQL).Scan(&id.System, &id.Started, &id.Timeline); err != nil {
		return fmt.Errorf("ask which server this is: %w", err)
	}
	conn.PgConn().CustomData()[serverKey] = id
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known && id == w.server {
		return nil
	}
	if w.known {
		w.log.Warn("the database server is another one: what is remembered of the database is read again", "before", w.server, "now", id)
		for _, forget := range w.forgets {
			forget()
		}
	}
	w.server, w.known = id, true
	return nil
}

// current reports whether a connection leads to the server that was reached last.
func (w *ServerWatch) current(conn *pgx.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return conn.PgConn().CustomData()[serverKey] == w.server
}
