package edge

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
)

// middleware is Huma's: it answers the request (Router.refuse) or calls next.
type middleware = func(ctx huma.Context, next func(huma.Context))

// Config configures a Router.
type Config struct {
	Logger  *slog.Logger
	Version string // of the API, in OpenAPI

	// Commands resolves tenants, verifies memberships and keeps idempotency records.
	Commands *commands.Commands
	// Sessions checks that a token's session still exists.
	Sessions Sessions
	// Mailboxes knows whose addresses are verified.
	Mailboxes Mailboxes
	// Tokens verifies access tokens.
	Tokens Tokens
	// APIKeys finds the keys of service accounts; nil: there are none.
	APIKeys APIKeys

	// Epochs knows the epoch of the answers; nil: none is named.
	Epochs Epochs

	// Enums name the sets of words in the document; those of problems are added.
	Enums Enums
	// Examples are shown in the document.
	Examples Examples

	// Limits are of the requests a second; the zero value limits none.
	Limits Limits
	// Proxies are trusted to name the client's address.
	Proxies Proxies
	// Origins may read answers in a browser.
	Origins Origins

	// Timeout bounds an operation that doesn't stream; 0 is 15 s.
	Timeout time.Duration

	// Metrics is the registry of the router's metrics; nil registers none.
	Metrics prometheus.Registerer
}

// Router serves the operations that are registered with it, as an http.Handler. Gin
// routes requests, Huma holds the contract.
type Router struct {
	engine   *gin.Engine
	api      huma.API
	log      *slog.Logger
	gates    huma.Middlewares
	recall   huma.Middlewares
	timeout  time.Duration
	openAPI  func() ([]byte, error)
	enums    Enums
	examples Examples
	metrics  *metrics
	limits   limits
	proxies  Proxies

	commands  *commands.Commands
	sessions  Sessions
	mailboxes Mailboxes
	tokens    Tokens
	apiKeys   APIKeys
	epochs    Epochs

	bodyTimeout time.Duration
}

// Mailboxes knows whose addresses are verified.
type Mailboxes interface {
	Verified(ctx context.Context, users ...domain.UserID) (map[domain.UserID]bool, error)
}

// Tokens verifies access tokens.
type Tokens interface {
	// Verify returns the identity of a token, or CodeTokenExpired or CodeUnauthenticated.
	Verify(ctx context.Context, token string) (accounts.Identity, error)
}

// Sessions checks the sessions of access tokens.
type Sessions interface {
	// Check returns CodeUnauthenticated unless the session exists and is the user's.
	Check(ctx context.Context, session uuid.UUID, user domain.UserID) error
}

// New returns a Router with the operations that explain problems, the OpenAPI
// document and the docs page.
func New(cfg Config) *Router {
	r := newRouter(cfg)
	r.gates = r.standardGates()
	r.recall = huma.Middlewares{r.replay, r.checkEpoch}
	return r
}

// newRouter returns a Router without gates and replay.
func newRouter(cfg Config) *Router {
	setGlobals()
	r := &Router{engine: gin.New(), log: cfg.Logger, timeout: cfg.Timeout, bodyTimeout: bodyTimeout, metrics: newMetrics(cfg.Metrics),
		limits: newLimits(cfg.Limits), proxies: cfg.Proxies,
		commands: cfg.Commands, sessions: cfg.Sessions, mailboxes: cfg.Mailboxes, tokens: cfg.Tokens, apiKeys: cfg.APIKeys, epochs: cfg.Epochs}
	r.enums, r.examples = problemEnums(cfg.Enums), cfg.Examples
	if r.timeout == 0 {
		r.timeout = defaultTimeout
	}

	// Handlers get the request's context, so that deadlines and a client that
	// disconnects cancel their work.
	r.engine.ContextWithFallback = true
	// A redirect to a similar path would trust X-Forwarded-Prefix.
	r.engine.RedirectTrailingSlash = false
	r.engine.RedirectFixedPath = false
	r.engine.HandleMethodNotAllowed = true
	// An encoded slash is part of a segment and doesn't end it.
	r.engine.UseRawPath = true
	// Gin believes no header about the client's address, Proxies decides it; nil can't fail.
	_ = r.engine.SetTrustedProxies(nil)
	r.engine.Use(r.identify, accessLog(r.log, r.metrics), r.standardHeaders, cfg.Origins.allow, recovery(r.log), r.limitAddress, cfg.Origins.preflight)
	r.engine.NoRoute(func(c *gin.Context) {
		writeProblem(c, newProblem(errNowhere, requestIDFrom(c.Request.Context())))
	})
	r.engine.NoMethod(func(c *gin.Context) {
		writeProblem(c, newProblem(domain.Refuse(domain.CodeMethodNotAllowed, "this address supports %s",
			c.Writer.Header().Get("Allow")), requestIDFrom(c.Request.Context())))
	})

	// Huma's own routes stay off: its docs page loads from a CDN.
	r.api = jsonAPI{huma.NewAPI(huma.Config{OpenAPI: contract(cfg.Version)}, adapter{r.engine, r.metrics, r.limits.exempt})}
	r.openAPI = sync.OnceValues(r.document)

	registerProblems(r)
	registerOpenAPI(r)
	registerDocs(r)
	return r
}

// ServeHTTP makes the router an http.Handler.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.engine.ServeHTTP(w, req) }

// OpenAPI returns the document, indented; /openapi.json serves it compactly.
func (r *Router) OpenAPI() ([]byte, error) { return r.openAPI() }

// setGlobals sets the package variables of Gin and Huma. It runs before the first
// schema is built.
var setGlobals = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode)
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = humaProblem
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(nil, status, msg, errs...)
	}
})

// standardHeaders sets the headers of every answer; the docs page replaces the
// policy. Where a trusted proxy says that the client came over TLS, the client shall
// come so for a year (RFC 6797).
func (r *Router) standardHeaders(c *gin.Context) {
	if r.proxies.secure(c.Request) {
		c.Header("Strict-Transport-Security", "max-age=31536000")
	}
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
}

// adapter is humagin's adapter that also answers HEAD for every GET operation (RFC
// 9110, section 9.1); net/http drops the body.
type adapter struct {
	*gin.Engine
	metrics *metrics
	// exempt gets the paths without a limit.
	exempt map[string]bool
}

// Handle implements huma.Adapter.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.Path)
	handle := func(c *gin.Context) { handler(humagin.NewContext(op, c)) }
	operation := op.Metadata[operationKey].(Operation)
	streams := operation.Streams
	if operation.Unlimited {
		a.exempt[path] = true
	}
	m := a.metrics.of(op.OperationID, !streams)
	a.Engine.Handle(op.Method, path, handle)
	a.metrics.routes[route{op.Method, path}] = m
	if op.Method == http.MethodGet && !streams {
		a.Engine.Handle(http.MethodHead, path, handle)
		a.metrics.routes[route{http.MethodHead, path}] = m
	}
}
