package edge

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Problem is a problem document, for answers that have one for each of several items.
type Problem = problem

// Problem returns the problem of an error, as an answer to the request would be. It logs
// errors that the client may not read.
func (r *Router) Problem(ctx context.Context, err error) *Problem { return r.problem(ctx, err) }

// RecordedProblem returns the problem of a recorded body, whose bytes it keeps.
func RecordedProblem(body json.RawMessage) *Problem { return replayedProblem(body) }

// OrNull is a field of an answer that has an object or null.
type OrNull[T any] struct{ Value *T }

// MarshalJSONTo writes the object or null.
func (o OrNull[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return jsonv2.MarshalEncode(enc, o.Value)
}

// UnmarshalJSON reads the object or null.
func (o *OrNull[T]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &o.Value) }

// Schema is T's, or null.
func (o OrNull[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(typeOf[T](), true, ""), {Type: "null"}}}
}

// OptionalSeq is a Docket-Seq that isn't sent where no command was accepted.
type OptionalSeq string

// Schema is that of every Docket-Seq.
func (o OptionalSeq) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64"}
}
