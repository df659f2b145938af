package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"docket/domain"
)

// bearer is the name of the one security scheme in OpenAPI.
const bearer = "bearer"

// tags are the chapters of the OpenAPI document, in their order.
var tags = []*huma.Tag{
	{Name: "auth", Description: "Registering, logging in, sessions."},
	{Name: "me", Description: "The caller, whatever the tenant."},
	{Name: "tenants", Description: "Tenants and joining them."},
	{Name: "members", Description: "Who is in a tenant, with which role."},
	{Name: "projects", Description: "Projects and their workflow."},
	{Name: "tasks"},
	{Name: "comments"},
	{Name: "notifications"},
	{Name: "admin", Description: "Settings, activity and the raw log of a tenant."},
	{Name: "audit", Description: "Proofs that the log is whole."},
	{Name: "reports", Description: "What projects add up to."},
	{Name: "service", Description: "What the server says of itself."},
}

// middleware is Huma's: it answers itself (router.refuse) or calls next.
type middleware = func(ctx huma.Context, next func(huma.Context))

// routerConfig is what the edge needs to know.
type routerConfig struct {
	Logger  *slog.Logger
	Version string // of the API, in OpenAPI

	// Gates run for every operation before anything of the body is read:
	// authentication, tenant, role. operationOf tells them what is called.
	Gates []middleware

	// Recall, if not nil, runs when the body was read, and before it is looked at.
	Recall middleware

	// Timeout bounds an operation that doesn't stream; 0 is 15 s.
	Timeout time.Duration

	// Metrics is where the router registers what it counts; nowhere if nil.
	Metrics prometheus.Registerer
}

// router is the edge: Gin for routing, Huma for the contract, and everything
// about HTTP that isn't a resource.
type router struct {
	engine  *gin.Engine
	api     huma.API
	log     *slog.Logger
	gates   huma.Middlewares
	recall  huma.Middlewares
	timeout time.Duration
	openAPI func() ([]byte, error)
	metrics *metrics

	bodyTimeout time.Duration
}

// newRouter makes a router that has the operations "problems", the OpenAPI
// document and the docs page.
func newRouter(cfg routerConfig) *router {
	setGlobals()
	r := &router{engine: gin.New(), log: cfg.Logger, gates: cfg.Gates,
		timeout: cfg.Timeout, bodyTimeout: bodyTimeout, metrics: newMetrics(cfg.Metrics)}
	if r.timeout == 0 {
		r.timeout = defaultTimeout
	}
	if cfg.Recall != nil {
		r.recall = huma.Middlewares{cfg.Recall}
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
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.engine.ServeHTTP(w, req) }

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
	streams := op.Metadata[operationKey].(operation).Streams
	m := a.metrics.of(op.OperationID, !streams)
	a.Engine.Handle(op.Method, path, handle)
	a.metrics.routes[route{op.Method, path}] = m
	if op.Method == http.MethodGet && !streams {
		a.Engine.Handle(http.MethodHead, path, handle)
		a.metrics.routes[route{http.MethodHead, path}] = m
	}
}

func contract(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:       "Docket",
			Version:     version,
			Description: "Projects and tasks of many tenants, and the record of every change. Errors are problem documents (RFC 9457) whose type the server explains.",
			License:     &huma.License{Name: "MIT", Identifier: "MIT"},
		},
		Servers: []*huma.Server{{URL: "/"}},
		Tags:    tags,
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{bearer: {
				Type: "http", Scheme: "bearer", BearerFormat: "JWT",
				Description: "The access_token of POST /v1/auth/login.",
			}},
		},
		OnAddOperation: []huma.AddOpFunc{completeOperation},
	}
}

// schemaName is Huma's name for a type, without the Body that ours end in.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Body")
}

// document renders the OpenAPI document, indented, the same bytes for the same
// operations. It is served as it is committed.
func (r *router) document() ([]byte, error) {
	body, err := json.MarshalIndent(r.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, errors.Join(errors.New("openapi"), err)
	}
	return append(body, '\n'), nil
}
