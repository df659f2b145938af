package edge

import (
	"mime"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// Accept is the input of an operation with more than one media type.
type Accept struct {
	ranges string
}

// Resolve reads the header Accept, which may have several lines.
func (a *Accept) Resolve(ctx huma.Context) []error {
	a.ranges = strings.Join(humagin.Unwrap(ctx).Request.Header.Values("Accept"), ",")
	return nil
}

// Prefers reports whether the client prefers a media type to the operation's usual
// one (RFC 9110, section 12.5.1). The usual one wins a tie.
func (a Accept) Prefers(offered, usual string) bool {
	return a.quality(offered) > a.quality(usual)
}

// quality returns the weight, from 0 to 1, of the most specific media range that
// matches a type; 0 if none does. It ignores malformed ranges and parameters other
// than q.
func (a Accept) quality(mediaType string) float64 {
	kind, _, _ := strings.Cut(mediaType, "/")
	best, weight := 0, 0.0
	for part := range strings.SplitSeq(a.ranges, ",") {
		wanted, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		specific := 0
		switch wanted {
		case mediaType:
			specific = 3
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific <= best {
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
				continue
			}
		}
		best, weight = specific, q
	}
	return weight
}

// Raw is the output of an operation whose answer isn't the JSON of a Go value;
// Operation.Content documents it.
type Raw struct {
	ContentType string   `header:"Content-Type" hidden:"true"`
	Vary        []string `header:"Vary" hidden:"true"`
	CSP         string   `header:"Content-Security-Policy" hidden:"true"`
	Body        []byte
}
