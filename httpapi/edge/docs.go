package edge

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
)

// The docs page is Swagger UI from swgui's embedded files. swgui's own handler isn't
// used: its page has inline scripts, which the policy forbids. The page loads from,
// and sends to, this server only. (Swagger UI sets styles through the DOM, which the
// policy allows; data: is for its icons.)
const (
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

	docsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Docket API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/docket.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/docket.js" defer></script>
</html>
`
	// Addresses are relative, so that the page works below a proxy's path.
	docsScript = `"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`
	// No answer has links, whose column is wider than a telephone; nor have two selects
	// room beside each other there.
	docsStyle = `.swagger-ui .response-col_links { display: none; }
.swagger-ui .response-controls { flex-wrap: wrap; gap: 8px; }
.swagger-ui .headers td, .swagger-ui .headers th { overflow-wrap: break-word; padding-right: 6px; }
`
)

// registerDocs serves the docs page and, below /docs/, the files it loads.
func registerDocs(r *Router) {
	register(r, Operation{
		Method: http.MethodGet, Path: "/docs", ID: "get-docs", Tag: "service", access: public,
		Summary: "Interactive documentation, for browsers", Description: "It needs no other server.", Static: true,
		Content: map[string]*huma.MediaType{"text/html": {}},
	}, func(context.Context, *struct{}) (*Raw, error) {
		return &Raw{ContentType: "text/html; charset=utf-8", CSP: docsPolicy, Body: []byte(docsPage)}, nil
	})
	assets := docsAssets()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.engine.Handle(method, "/docs/:asset", func(c *gin.Context) {
			asset, ok := assets[c.Param("asset")]
			if !ok {
				writeProblem(c, newProblem(errNowhere, requestIDFrom(c.Request.Context())))
				return
			}
			asset.serve(c)
		})
	}
}

// asset is one file of the docs page.
type asset struct {
	name    string
	etag    string
	body    []byte
	gzipped bool
}

func docsAssets() map[string]asset {
	files := map[string][]byte{"docket.js": []byte(docsScript), "docket.css": []byte(docsStyle)}
	for _, name := range []string{"swagger-ui.css.gz", "swagger-ui-bundle.js.gz", "favicon-32x32.png"} {
		body, err := fs.ReadFile(static.FS, name)
		if err != nil {
			panic(err) // embedded: a version of swgui with other files
		}
		files[name] = body
	}
	assets := map[string]asset{}
	for file, body := range files {
		sum := sha256.Sum256(body)
		name, gzipped := strings.CutSuffix(file, ".gz")
		assets[name] = asset{name: name, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, body: body, gzipped: gzipped}
	}
	return assets
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".png": "image/png",
}

func (a asset) serve(c *gin.Context) {
	c.Header("Content-Type", assetTypes[path.Ext(a.name)])
	c.Header("Cache-Control", "no-cache") // cached, and revalidated by ETag
	c.Header("ETag", a.etag)
	body := a.body
	if a.gzipped {
		c.Writer.Header().Add("Vary", "Accept-Encoding")
		if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
			c.Header("Content-Encoding", "gzip")
		} else {
			body = a.unzip()
			c.Header("ETag", strings.TrimSuffix(a.etag, `"`)+`-plain"`)
		}
	}
	http.ServeContent(c.Writer, c.Request, a.name, time.Time{}, bytes.NewReader(body))
}

func (a asset) unzip() []byte {
	zr, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(zr)
	if err != nil {
		panic(err)
	}
	return body
}
