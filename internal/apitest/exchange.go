package apitest

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

const (
	problemMediaType = "application/problem+json"
	ndjsonMediaType  = "application/x-ndjson"
	patchMediaType   = "application/merge-patch+json"
)

// Exchange is a request and its answer.
type Exchange struct {
	Request *http.Request // its Body isn't read
	Sent    []byte        // the request's body
	Status  int
	Header  http.Header // the answer's
	Body    []byte      // the answer's
}

// Disagreements are what of an exchange isn't as the document says, one line
// each. A request that had success must be a documented one too; one that was
// refused may have been anything. Of a request that the document knows nothing
// of, only a problem that answers it is looked at.
func (d *Document) Disagreements(x Exchange) []string {
	var wrong []string
	media, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	bodies := [][]byte{x.Body}
	if media == ndjsonMediaType {
		bodies = slices.Collect(bytes.Lines(x.Body))
	}
	for _, body := range bodies {
		if err := wellFormed(body); err != nil && strings.HasSuffix(media, "json") && len(body) > 0 {
			return []string{err.Error()}
		}
	}
	op := d.find(x.Request)
	if op == nil {
		if media == problemMediaType && d.problem != nil && len(x.Body) > 0 {
			d.rendering.Lock() // the library renders the schema anew, in place
			_, found := d.schemas.ValidateSchemaBytes(d.problem, x.Body)
			d.rendering.Unlock()
			wrong = append(wrong, say(found)...)
		}
		return wrong
	}
	req := x.Request.Clone(x.Request.Context())
	if x.Status < 300 {
		d.answered(op)
		wrong = append(wrong, d.request(req, x.Sent, op)...)
	}
	for _, body := range bodies {
		wrong = append(wrong, d.answer(req, op, x.Status, x.Header, body)...)
	}
	if response := op.Responses.Codes.GetOrZero(strconv.Itoa(x.Status)); response != nil {
		wrong = append(wrong, beside(response, x)...)
		if code := codeOf(x.Body); media == problemMediaType && !strings.Contains(response.Description, "`"+code+"`") {
			wrong = append(wrong, "the code "+code+" isn't documented for this status")
		}
	}
	return wrong
}

func (d *Document) request(req *http.Request, body []byte, op *operation) []string {
	req.Body = http.NoBody
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	req.ContentLength = int64(len(body))
	// The document has one media type for a patch. The server takes the other as well.
	if media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); req.Method == http.MethodPatch && media == patchMediaType {
		req.Header.Set("Content-Type", "application/json")
	}
	_, found := d.requests.ValidateHttpRequestSyncWithPathItem(req, op.item, op.path)
	return say(found)
}

func (d *Document) answer(req *http.Request, op *operation, status int, header http.Header, body []byte) []string {
	answered := &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: req}
	_, found := d.answers.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(req, answered, op.item, op.path)
	return say(found)
}

// beside is what is wrong that the library doesn't look for: it takes every absent
// header for an optional one.
func beside(response *v3.Response, x Exchange) []string {
	var wrong []string
	for name, header := range response.Headers.FromOldest() {
		if header.Required && x.Header.Get(name) == "" {
			wrong = append(wrong, "no header "+name)
		}
	}
	if orderedmap.Len(response.Content) == 0 && len(x.Body) > 0 {
		wrong = append(wrong, "a body where there should be none")
	}
	return wrong
}

// wellFormed also refuses invalid UTF-8 and members that stand twice, which no
// schema sees.
func wellFormed(body []byte) error {
	var value any
	return json.Unmarshal(body, &value)
}

func codeOf(body []byte) string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &problem) // what can't be read has no code
	return problem.Code
}
