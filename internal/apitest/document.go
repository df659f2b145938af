package apitest

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	liberrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// operation is one method of one path.
type operation struct {
	method, path string // as the document writes the path
	form         *regexp.Regexp
	item         *v3.PathItem
	*v3.Operation
}

var pathParameter = regexp.MustCompile(`\\\{[^/]+\\\}`)

// Document is an OpenAPI 3.1 document, ready to hold exchanges against. It may be
// used by several goroutines at once.
type Document struct {
	// requests may use all of JSON Schema's formats, answers are written one way.
	requests, answers validator.Validator

	operations []*operation
	schemas    schema_validation.SchemaValidator
	problem    *base.Schema // nil where none is called Problem
	rendering  sync.Mutex   // one use of schemas at a time

	mu         sync.Mutex
	unanswered map[string]bool // method and path template
}

// Read checks that the text is an OpenAPI 3.1 document and prepares it, which
// takes some tenths of a second for a large one.
func Read(text []byte) (*Document, error) {
	parsed, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	model, err := parsed.BuildV3Model()
	if err != nil {
		return nil, err
	}
	taken := []config.Option{config.WithFormatAssertions(), config.WithCustomFormat("int64", formatInt64),
		config.WithRejectUndeclaredRequestBody()}
	written := []config.Option{config.WithFormatAssertions(), config.WithCustomFormat("int64", formatInt64),
		config.WithCustomFormat("uuid", formatUUID), config.WithCustomFormat("date-time", formatDateTime)}
	requests, errs := validator.NewValidator(parsed, taken...)
	answers, more := validator.NewValidator(parsed, written...)
	if err := errors.Join(append(errs, more...)...); err != nil {
		return nil, err
	}
	if ok, found := requests.ValidateDocument(); !ok {
		return nil, fmt.Errorf("no OpenAPI document: %s", strings.Join(say(found), "; "))
	}
	d := &Document{requests: requests, answers: answers,
		schemas: schema_validation.NewSchemaValidator(written...), unanswered: map[string]bool{}}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		form := regexp.MustCompile("^" + pathParameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
		for method, op := range item.GetOperations().FromOldest() {
			d.operations = append(d.operations, &operation{strings.ToUpper(method), path, form, item, op})
			d.unanswered[strings.ToUpper(method)+" "+path] = true
		}
	}
	if problem := model.Model.Components.Schemas.GetOrZero("Problem"); problem != nil {
		d.problem = problem.Schema()
	}
	return d, nil
}

// Unanswered are the operations that no exchange had a success (2xx) of, each
// as method, space, path template, sorted.
func (d *Document) Unanswered() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var left []string
	for operation, still := range d.unanswered {
		if still {
			left = append(left, operation)
		}
	}
	slices.Sort(left)
	return left
}

func (d *Document) answered(op *operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unanswered[op.method+" "+op.path] = false
}

// find is the operation of a request, the one with the fewest parameters in its
// path; nil for what isn't published. (The library's router takes //x and /x/ for
// /x as well, which the server doesn't.)
func (d *Document) find(req *http.Request) *operation {
	var found *operation
	for _, op := range d.operations {
		if op.method == req.Method && op.form.MatchString(req.URL.Path) &&
			(found == nil || strings.Count(op.path, "{") < strings.Count(found.path, "{")) {
			found = op
		}
	}
	return found
}

// canonicalUUID is how ids are written: RFC 9562, lower case.
var canonicalUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func formatUUID(v any) error {
	if text, ok := v.(string); ok && !canonicalUUID.MatchString(text) {
		return errors.New("no canonical UUID")
	}
	return nil
}

// formatDateTime takes what the API writes: RFC 3339 in UTC, and never the zero
// time, which is a value that was forgotten.
func formatDateTime(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strings.HasSuffix(text, "Z") || at.IsZero() {
		return errors.New("no time in UTC")
	}
	return nil
}

// formatInt64 stands in for the library's, which reads numbers as float64 and so
// takes the largest int64 for one too many.
func formatInt64(v any) error {
	if n, ok := v.(float64); ok && (n != math.Trunc(n) || math.Abs(n) > 1<<63) {
		return errors.New("no int64")
	}
	return nil
}

// say is what the library found, one line each.
func say(found []*liberrors.ValidationError) []string {
	var lines []string
	for _, e := range found {
		if len(e.SchemaValidationErrors) == 0 {
			lines = append(lines, e.Message+": "+e.Reason)
		}
		for _, s := range e.SchemaValidationErrors {
			lines = append(lines, e.Message+": "+s.FieldPath+" "+s.Reason+" ("+s.KeywordLocation+")")
		}
	}
	return lines
}
