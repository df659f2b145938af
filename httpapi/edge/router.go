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

	"docket/commands"
	"docket/domain"
)

// middleware is Huma's: it answers itself (router.refuse) or calls next.
type middleware = func(ctx huma.Context, next func(huma.Context))

// Config is what the edge needs to know.
type Config struct {
	Logger  *slog.Logger
	Version string // of the API, in OpenAPI

	// Commands resolve tenants, admit members and keep idempotency records.
	Commands *commands.Commands
	// Sessions says whether a token's session still exists.
	Sessions Sessions
	// Tokens verifies access tokens.
	Tokens *Tokens

	// Timeout bounds an operation that doesn't stream; 0 is 15 s.
	Timeout time.Duration

	// Metrics is where the router registers what it counts; nowhere if nil.
	Metrics prometheus.Registerer
}

// router is the edge: Gin for routing, Huma for the contract, and everything
// about HTTP that isn't a resource.
type Router struct {
	engine  *gin.Engine
	api     huma.API
	log     *slog.Logger
	gates   huma.Middlewares
	recall  huma.Middlewares
	timeout time.Duration
	openAPI func() ([]byte, error)
	metrics *metrics

	commands *commands.Commands
	sessions Sessions
	tokens   *Tokens

	bodyTimeout time.Duration
}

// Sessions is what the router needs of the sessions.
type Sessions interface {
	// Check returns CodeUnauthenticated unless the session exists and is the user's.
	Check(ctx context.Context, session uuid.UUID, user domain.UserID) error
}

// New makes a router with the operations that explain problems, the OpenAPI
// document and the docs page.
func New(cfg Config) *Router {
	r := newRouter(cfg)
	r.gates = r.standardGates()
	r.recall = huma.Middlewares{r.replay}
	return r
}

// bare is a router without gates.
func newRouter(cfg Config) *Router {
	setGlobals()
	r := &Router{engine: gin.New(), log: cfg.Logger, timeout: cfg.Timeout, bodyTimeout: bodyTimeout, metrics: newMetrics(cfg.Metrics),
		commands: cfg.Commands, sessions: cfg.Sessions, tokens: cfg.Tokens}
	if r.timeout == 0 {
		r.timeout = defaultTimeout
	}

	// The request's context is the handlers' context: without it a client that
	// hangs up, and every deadline, would stop nothing.
	r.engine.ContextWithFallback = true
	// A redirect to a similar path would take X-Forwarded-Prefix on faith.
	r.engine.RedirectTrailingSlash = false
	r.engine.RedirectFixedPath = false
	r.engine.HandleMethodNotAllowed = true
	// An encoded slash belongs to a name; it doesn't begin another segment.
	r.engine.UseRawPath = true
	_ = r.engine.SetTrustedProxies(nil) // no header says who the client is; without a name to parse it can't fail
	r.engine.Use(identify, accessLog(r.log, r.metrics), standardHeaders, recovery(r.log))
	r.engine.NoRoute(func(c *gin.Context) {
		writeProblem(c, newProblem(errNowhere, requestIDFrom(c.Request.Context())))
	})
	r.engine.NoMethod(func(c *gin.Context) {
		writeProblem(c, newProblem(domain.Refuse(domain.CodeMethodNotAllowed, "this address has the methods %s",
			c.Writer.Header().Get("Allow")), requestIDFrom(c.Request.Context())))
	})

	// Huma's own routes stay off: its docs page loads from a CDN.
	r.api = jsonAPI{huma.NewAPI(huma.Config{OpenAPI: contract(cfg.Version)}, adapter{r.engine, r.metrics})}
	r.openAPI = sync.OnceValues(r.document)

	registerProblems(r)
	registerOpenAPI(r)
	registerDocs(r)
	return r
}

// ServeHTTP makes the router an http.Handler.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.engine.ServeHTTP(w, req) }

// OpenAPI is the contract, as it is served at /openapi.json.
func (r *Router) OpenAPI() ([]byte, error) { return r.openAPI() }

// setGlobals sets what Gin and Huma keep in package variables, before the first
// schema is made.
var setGlobals = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode)
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = humaProblem
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(nil, status, msg, errs...)
	}
})

// standardHeaders go with every answer; the docs page replaces the policy.
// Strict-Transport-Security is the business of whatever ends TLS before us.
func standardHeaders(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
}

// adapter is humagin's, but that what answers GET answers HEAD as well (RFC
// 9110, section 9.1); net/http leaves the body out.
type adapter struct {
	*gin.Engine
	metrics *metrics
}

// Handle implements huma.Adapter.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	path := strings.NewReplacer("{", ":", "}", "").Replace(op.Path)
	handle := func(c *gin.Context) { handler(humagin.NewContext(op, c)) }
	streams := op.Metadata[operationKey].(Operation).Streams
	m := a.metrics.of(op.OperationID, !streams)
	a.Engine.Handle(op.Method, path, handle)
	a.metrics.routes[route{op.Method, path}] = m
	if op.Method == http.MethodGet && !streams {
		a.Engine.Handle(http.MethodHead, path, handle)
		a.metrics.routes[route{http.MethodHead, path}] = m
	}
}
