package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/httpapi/edge"
	"docket/notify"
	"docket/projections"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Server is made of. All but Now and Logger is needed to serve;
// the contract alone (OpenAPI) needs only the keys.
type Config struct {
	Commands *commands.Commands
	Sessions *accounts.Sessions
	Queries  *projections.Queries
	Inbox    *notify.Inbox
	// Egress judges the addresses that tenants give.
	Egress *notify.Egress

	// Keys are those of the access tokens, the first signs.
	Keys []edge.SigningKey
	// MasterKey has at least 32 bytes; the keys of cursors are derived from it.
	MasterKey []byte
	// Issuer stands in access tokens and must be the same on all replicas.
	Issuer  string
	Version string
	Logger  *slog.Logger
	// Metrics is where the Server registers what it counts; nowhere if nil.
	Metrics prometheus.Registerer
	// Ready says why the server can't serve, or nil.
	Ready func(context.Context) error
	// Now is the clock of tokens; time.Now if nil.
	Now func() time.Time
}

// Server is the HTTP API, an http.Handler.
type Server struct {
	router    *edge.Router
	commands  *commands.Commands
	sessions  *accounts.Sessions
	queries   *projections.Queries
	inbox     *notify.Inbox
	egress    *notify.Egress
	tokens    *edge.Tokens
	cursors   *edge.Cursors
	positions *edge.Positions
	ready     func(context.Context) error
	now       func() time.Time
}

// New makes a Server. It fails on keys that are too short or named twice.
func New(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		commands: cfg.Commands, sessions: cfg.Sessions, queries: cfg.Queries, inbox: cfg.Inbox, egress: cfg.Egress,
		positions: edge.NewPositions(), ready: cfg.Ready, now: cfg.Now,
	}
	var err, keyErr error
	s.tokens, err = edge.NewTokens(cfg.Keys, cfg.Issuer, cfg.Now)
	s.cursors, keyErr = edge.NewCursors(cfg.MasterKey)
	if err := errors.Join(err, keyErr); err != nil {
		return nil, err
	}
	s.router = edge.New(edge.Config{
		Logger: cfg.Logger, Version: cfg.Version, Metrics: cfg.Metrics,
		Commands: cfg.Commands, Sessions: cfg.Sessions, Tokens: s.tokens,
	})
	registerAuth(s)
	registerMe(s)
	registerTenants(s)
	registerWorkflow(s)
	registerCatalog(s)
	registerMembers(s)
	registerProjects(s)
	registerTransitions(s)
	registerTasks(s)
	registerComments(s)
	registerSummaries(s)
	registerCycles(s)
	registerNotifications(s)
	registerAdminTenant(s)
	registerStats(s)
	registerActivity(s)
	registerEvents(s)
	registerHealth(s)
	return s, nil
}

// ServeHTTP makes a Server an http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// OpenAPI is the contract, as it is served at /openapi.json.
func (s *Server) OpenAPI() ([]byte, error) { return s.router.OpenAPI() }

// acknowledge notes an accepted command, so that its user reads it back.
func (s *Server) acknowledge(scope domain.Scope, seq int64) {
	s.positions.Acknowledge(scope.Actor().ID, scope.Tenant(), seq)
}

// fresh is what a read in this scope has to show.
func (s *Server) fresh(scope domain.Scope, p edge.Positioned) projections.Fresh {
	return projections.Fresh{Seq: s.positions.Last(scope.Actor().ID, scope.Tenant()), Min: p.MinSeq}
}
