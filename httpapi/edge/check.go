package edge

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// errNowhere answers unknown paths.
var errNowhere = domain.Refuse(domain.CodeNotFound, "there is nothing at this address")

// errNoID answers ids that can't be one. It tells nothing about what there is.
var errNoID = domain.Refuse(domain.CodeNotFound, "the id in the path isn't a UUID, so there is nothing at this address")

// check is the last middleware before Huma binds the input. It checks the request
// against the operation's contract, in the contract's order:
//
//   - 400 malformed: a query string or header that can't be read, a body that
//     isn't one JSON text;
//   - 400 unknown-parameter;
//   - 422 validation-failed: everything wrong with query parameters and body
//     members, together; a parameter's pointer is / and its name;
//   - 404 not-found: a path parameter that can't be one, such as an id that is
//     no UUID; the detail says so.
//
// A query parameter without a value (?status=) is refused: as a filter it would
// match nothing or too much. So is a repeated one, since only one value could be
// obeyed. Handlers check cursors (400 cursor-invalid, Cursors.Open) and as_of (400
// malformed).
func (r *Router) check(ctx huma.Context, next func(huma.Context)) {
	c, op := humagin.Unwrap(ctx), ctx.Operation()
	query, err := checkQueryNames(op, c.Request.URL.RawQuery)
	if err == nil {
		err = checkHeaders(op, c.Request.Header)
	}
	body := bodyOf(ctx)
	if err == nil && len(body) > 0 {
		if err = checkJSON(body); err == nil {
			body = normalTexts(body)
			keepBody(c, body)
		}
	}
	if err == nil {
		found := checkQuery(op, query)
		if len(body) > 0 {
			schema := op.RequestBody.Content[JSONMediaType].Schema
			found = append(found, checkShape(r.api.OpenAPI().Components.Schemas, schema, body)...)
		}
		err = found.err()
	}
	if err == nil {
		err = checkPath(op, c)
	}
	if err != nil {
		r.refuse(ctx, err)
		return
	}
	// check knows the media type; Huma would look it up by its spelling.
	c.Request.Header.Set("Content-Type", JSONMediaType)
	next(ctx)
}

func parametersIn(op *huma.Operation, in string) func(func(*huma.Param) bool) {
	return func(yield func(*huma.Param) bool) {
		for _, p := range op.Parameters {
			if p.In == in && !yield(p) {
				return
			}
		}
	}
}

func checkQueryNames(op *huma.Operation, raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, domain.Refuse(domain.CodeMalformed, "the query string is malformed")
	}
	var unknown []string
	for name := range query {
		known := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		if !known {
			unknown = append(unknown, strconv.QuoteToASCII(name))
		}
	}
	if len(unknown) > 0 {
		// Names only the first: a client could send thousands.
		first := slices.Min(unknown)
		return nil, domain.Refuse(domain.CodeUnknownParameter, "%s isn't a query parameter of this operation", first[:min(len(first), maxPointer)])
	}
	return query, nil
}

// checkHeaders checks the headers that the operation declares. An invalid one is
// 400, because no pointer can name a header.
func checkHeaders(op *huma.Operation, header http.Header) error {
	for p := range parametersIn(op, "header") {
		values := header.Values(p.Name)
		if len(values) == 0 || values[0] == "" && len(values) == 1 {
			if p.Required {
				return domain.Refuse(domain.CodeMalformed, "the header %s is required", p.Name)
			}
			continue
		}
		if strings.EqualFold(p.Name, ifMatchHeader) {
			// A list may be spread over several lines (RFC 9110, section 5.3).
			all := strings.Join(values, ",")
			if _, err := parseIfMatch(all); err != nil {
				return err
			}
			header.Set(ifMatchHeader, all)
			continue
		}
		if len(values) > 1 {
			return domain.Refuse(domain.CodeMalformed, "the header %s is duplicated", p.Name)
		}
		var found findings
		checkParameter(&found, p.Schema, "", values[0])
		if len(found) > 0 {
			return domain.Refuse(domain.CodeMalformed, "the header %s is invalid: %s", p.Name, found[0].Detail)
		}
	}
	return nil
}

func checkQuery(op *huma.Operation, query url.Values) findings {
	var found findings
	for p := range parametersIn(op, "query") {
		at := jsontext.Pointer("").AppendToken(p.Name)
		values := query[p.Name]
		switch {
		case len(values) > 1:
			found.add(at, FieldDuplicate, "the parameter is duplicated")
		case len(values) == 1 && values[0] == "":
			found.add(at, FieldTooShort, "the parameter must have a value")
		case len(values) == 1 && (p.Name == cursorParameter || p.Name == asOfParameter):
		case len(values) == 1:
			checkParameter(&found, p.Schema, at, values[0])
		case p.Required:
			found.add(at, FieldRequired, "this parameter is required")
		}
	}
	return found
}

func checkPath(op *huma.Operation, c *gin.Context) error {
	for p := range parametersIn(op, "path") {
		var found findings
		checkParameter(&found, p.Schema, "", c.Param(p.Name))
		if len(found) > 0 && p.Schema.Format == "uuid" {
			return errNoID
		}
		if len(found) > 0 {
			return errNowhere
		}
	}
	return nil
}

var (
	integerForm = regexp.MustCompile(`^-?[0-9]+$`)
	numberForm  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// checkParameter checks a parameter's text against its schema: the items of a list
// are separated by commas, booleans are true and false.
func checkParameter(f *findings, s *huma.Schema, at jsontext.Pointer, text string) {
	switch s.Type {
	case huma.TypeInteger:
		if !integerForm.MatchString(text) {
			f.add(at, FieldType, "must be an integer")
			return
		}
		checkNumber(f, s, at, text)
	case huma.TypeNumber:
		if !numberForm.MatchString(text) || !sensibleNumber(text) {
			f.add(at, FieldType, "must be a number")
			return
		}
		checkNumber(f, s, at, text)
	case huma.TypeBoolean:
		if text != "true" && text != "false" {
			f.add(at, FieldType, "must be true or false")
		}
	case huma.TypeArray:
		items := splitValues(text)
		checkCount(f, s, at, len(items))
		for i, item := range items {
			if s.UniqueItems && slices.Contains(items[:i], item) {
				f.add(at, FieldDuplicate, "a value is duplicated")
				return
			}
			if item == "" {
				f.add(at, FieldTooShort, "a value between the commas is empty")
				return
			}
			before := len(*f)
			if checkParameter(f, s.Items, at, item); len(*f) > before {
				return
			}
		}
	default:
		checkText(f, s, at, text)
	}
}

// refusalFromDetails maps errors that Huma finds after check: text that a Go type
// can't be parsed from. Huma's locations are body, query.name, path.name and
// header.name.
func refusalFromDetails(errs []error) *domain.Error {
	var found findings
	var header string
	for _, err := range errs {
		detailer, ok := err.(huma.ErrorDetailer)
		if !ok {
			continue
		}
		in, name, _ := strings.Cut(detailer.ErrorDetail().Location, ".")
		switch in {
		case "query":
			found.add(jsontext.Pointer("").AppendToken(name), FieldFormat, "the value can't be read")
		case "header":
			header = name
		case "body":
			found.add("", FieldFormat, "a value in the body can't be read")
		}
	}
	switch {
	case header != "":
		return domain.Refuse(domain.CodeMalformed, "the header %s is invalid", header)
	case len(found) > 0:
		return &domain.Error{Code: domain.CodeValidationFailed, Detail: "the request has invalid fields", Fields: found}
	}
	return errNowhere
}
