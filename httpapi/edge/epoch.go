package edge

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"docket/domain"
)

// epochHeader names the epoch of every answer, and the one that a request relies on.
const epochHeader = "Docket-Epoch"

// epochSuffix is how many characters of the epoch's id stand in an ETag.
const epochSuffix = 8

// suffixOf tells the ETags and cursors of epochs apart; empty in the first.
func suffixOf(e domain.Epoch) string {
	if e.First() {
		return ""
	}
	return e.ID.String()[:epochSuffix]
}

// Epochs knows the present epoch.
type Epochs interface {
	// Current is the present epoch. It may ask the database.
	Current(ctx context.Context) (domain.Epoch, error)
	// Known is what Current has returned last.
	Known() domain.Epoch
}

// inEpoch names the epoch in the answer to a signed-in caller, and in its ETag.
func (r *Router) inEpoch(ctx huma.Context, op Operation, caller *Caller) error {
	if r.epochs == nil || op.access == public {
		return nil
	}
	epoch, err := r.epochs.Current(ctx.Context())
	if err != nil {
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "the database can't be reached, or refuses this server; nothing was done"), err)
	}
	caller.epoch = epoch
	c := humagin.Unwrap(ctx)
	c.Header(epochHeader, epoch.ID.String())
	if suffix := suffixOf(epoch); suffix != "" {
		c.Writer = &epochWriter{c.Writer, suffix}
	}
	return nil
}

// checkEpoch refuses a request that relies on another epoch, and tells the tags of If-Match
// apart: in any epoch but the first they are "<version>.<epoch>". It runs after replay: a
// repeated request has its recorded answer, in whichever epoch it comes.
func (r *Router) checkEpoch(ctx huma.Context, next func(huma.Context)) {
	c, epoch := humagin.Unwrap(ctx), CallerOf(ctx.Context()).epoch
	if epoch.Number == 0 {
		next(ctx)
		return
	}
	k, _ := ctx.Context().Value(keyKey{}).(*keyed)
	replayed := k != nil && k.Replayed()
	if relied := c.Request.Header.Get(epochHeader); !replayed && relied != "" && !strings.EqualFold(relied, epoch.ID.String()) {
		r.refuse(ctx, domain.Refuse(domain.CodeEpochChanged, "the epoch is %s: forget the positions, versions and cursors of before, and read again", epoch.ID))
		return
	}
	if suffix := suffixOf(epoch); suffix != "" {
		ofEpoch(c.Request.Header, suffix)
	}
	next(ctx)
}

// ofEpoch strips the suffix from the tags of If-Match. A tag without it is of another epoch
// and becomes one that never matches. It leaves a malformed header to check.
func ofEpoch(header http.Header, suffix string) {
	value := strings.Join(header.Values(ifMatchHeader), ",")
	if anyVersion(value) {
		return
	}
	tags, ok := opaqueTags(value)
	if !ok {
		return
	}
	for i, tag := range tags {
		version, own := strings.CutSuffix(tag, "."+suffix)
		switch _, err := strconv.Atoi(tag); {
		case own:
			tag = version
		case err == nil:
			tag += "."
		}
		tags[i] = `"` + tag + `"`
	}
	header.Set(ifMatchHeader, strings.Join(tags, ", "))
}

// epochWriter puts the suffix into the answer's ETag.
type epochWriter struct {
	gin.ResponseWriter
	suffix string
}

var _ interface{ Unwrap() http.ResponseWriter } = (*epochWriter)(nil)

// Unwrap is for http.ResponseController, which sets the deadlines of a body.
func (w *epochWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *epochWriter) mark() {
	if version, ok := strings.CutSuffix(w.Header().Get("ETag"), `"`); ok && !w.Written() && !strings.HasSuffix(version, "."+w.suffix) {
		w.Header().Set("ETag", version+"."+w.suffix+`"`)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *epochWriter) WriteHeader(status int) {
	w.mark()
	w.ResponseWriter.WriteHeader(status)
}

// WriteHeaderNow implements gin.ResponseWriter.
func (w *epochWriter) WriteHeaderNow() {
	w.mark()
	w.ResponseWriter.WriteHeaderNow()
}

// Write implements io.Writer.
func (w *epochWriter) Write(b []byte) (int, error) {
	w.mark()
	return w.ResponseWriter.Write(b)
}

// WriteString implements io.StringWriter.
func (w *epochWriter) WriteString(s string) (int, error) {
	w.mark()
	return w.ResponseWriter.WriteString(s)
}

// withEpoch documents the header of requests and answers.
func withEpoch(op Operation) Operation {
	if op.access == public {
		return op
	}
	op.Params = append(op.Params, &huma.Param{Name: epochHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
		Description: "The Docket-Epoch that min_seq, after_seq and If-Match are of. Another one than the present is refused."})
	op.Errors = append(op.Errors, domain.CodeEpochChanged)
	return op
}
