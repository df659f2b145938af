package httpapi

import (
	"context"
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

// Config configures a Server. Serving needs everything but Logger, Metrics and Now;
// the contract alone (OpenAPI) needs only the master key.
type Config struct {
	Commands *commands.Commands
	Sessions *accounts.Sessions
	// Mailboxes verifies addresses and resets passwords.
	Mailboxes *accounts.Mailboxes
	// SignIns limits registrations and refreshes; nil limits none.
	SignIns *accounts.SignIns
	Queries *projections.Queries
	Inbox   *notify.Inbox
	// Egress checks the addresses that tenants configure.
	Egress *notify.Egress

	// Tokens issues and verifies access tokens.
	Tokens *accounts.Tokens
	// APIKeys finds the keys of service accounts; nil: there are none.
	APIKeys *accounts.APIKeys
	// Epochs knows the epoch of the answers; nil: none is named.
	Epochs edge.Epochs
	// MasterKey has at least 32 bytes; the key of the cursors is derived from it.
	MasterKey []byte
	Version   string
	Logger    *slog.Logger
	// Metrics is the registry of the Server's metrics; nil registers none.
	Metrics prometheus.Registerer
	// Ready returns why the server can't serve, or nil.
	Ready func(context.Context) error
	// Limits are of the requests a second; the zero value limits none.
	Limits edge.Limits
	// Proxies are trusted to name the client's address.
	Proxies edge.Proxies
	// Origins may read answers in a browser.
	Origins edge.Origins
	// Now is the clock of sessions; time.Now if nil.
	Now func() time.Time
}

// Server is the HTTP API, an http.Handler.
type Server struct {
	router    *edge.Router
	commands  *commands.Commands
	sessions  *accounts.Sessions
	signIns   *accounts.SignIns
	mailboxes *accounts.Mailboxes
	queries   *projections.Queries
	inbox     *notify.Inbox
	egress    *notify.Egress
	tokens    *accounts.Tokens
	apiKeys   *accounts.APIKeys
	cursors   *edge.Cursors
	positions *edge.Positions
	ready     func(context.Context) error
	now       func() time.Time
}

// New returns a Server, or an error for a master key that is too short.
func New(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		commands: cfg.Commands, sessions: cfg.Sessions, signIns: cfg.SignIns, mailboxes: cfg.Mailboxes, queries: cfg.Queries, inbox: cfg.Inbox, egress: cfg.Egress,
		tokens: cfg.Tokens, apiKeys: cfg.APIKeys, positions: edge.NewPositions(), ready: cfg.Ready, now: cfg.Now,
	}
	var err error
	if s.cursors, err = edge.NewCursors(cfg.MasterKey, cfg.Epochs); err != nil {
		return nil, err
	}
	s.router = edge.New(edge.Config{
		Logger: cfg.Logger, Version: cfg.Version, Metrics: cfg.Metrics,
		Commands: cfg.Commands, Sessions: cfg.Sessions, Mailboxes: cfg.Mailboxes, Tokens: s.tokens, Epochs: cfg.Epochs, Enums: enums(), Examples: examples(),
		Limits: cfg.Limits, Proxies: cfg.Proxies, APIKeys: keyFinder(cfg.APIKeys), Origins: cfg.Origins,
	})
	registerAuth(s)
	registerMe(s)
	registerSessions(s)
	registerMailboxes(s)
	registerTenants(s)
	registerWorkflow(s)
	registerCatalog(s)
	registerMembers(s)
	registerAPIKeys(s)
	registerProjects(s)
	registerTransitions(s)
	registerTasks(s)
	registerTasksBulk(s)
	registerComments(s)
	registerSummaries(s)
	registerCycles(s)
	registerNotifications(s)
	registerAdminTenant(s)
	registerStats(s)
	registerActivity(s)
	registerEvents(s)
	registerHealth(s)
	registerKeys(s)
	return s, nil
}

// keyFinder is nil, not an interface of nil, where there are no keys.
func keyFinder(k *accounts.APIKeys) edge.APIKeys {
	if k == nil {
		return nil
	}
	return k
}

// ServerChanged drops the positions of users, and whose addresses are verified: another
// database server may have lost what was acknowledged.
func (s *Server) ServerChanged() {
	s.positions.Forget()
	s.mailboxes.Forget()
}

// ServeHTTP makes a Server an http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// OpenAPI returns the document, indented; /openapi.json serves it compactly.
func (s *Server) OpenAPI() ([]byte, error) { return s.router.OpenAPI() }

// acknowledge records an accepted command, so that its user reads their own writes.
func (s *Server) acknowledge(scope domain.Scope, seq int64) {
	s.positions.Acknowledge(scope.Actor().ID, scope.Tenant(), seq)
}

// fresh returns the positions that a read in this scope must include.
func (s *Server) fresh(scope domain.Scope, p edge.Positioned) projections.Fresh {
	return projections.Fresh{Seq: s.positions.Last(scope.Actor().ID, scope.Tenant()), Min: p.MinSeq}
}
