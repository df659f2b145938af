package edge

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// Limits of accepted JSON.
const (
	maxDepth    = 32    // levels of arrays and objects
	maxItems    = 1_000 // of an array
	maxNumber   = 32    // characters of a number
	maxExponent = 308   // of a number: a float64's range
)

// checkJSON returns CodeMalformed unless body is one unambiguous JSON text (RFC 8259).
// It refuses invalid UTF-8, unpaired surrogates, duplicate members, trailing data,
// more than 32 levels, arrays of more than 1,000 items, and numbers longer than 32 characters or beyond a float64. (A
// jsonb column would store 1e131000 as 131,001 characters.)
func checkJSON(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		token, err := dec.ReadToken()
		switch {
		case err != nil:
			return malformedJSON(err)
		case dec.StackDepth() > maxDepth:
			return domain.Refuse(domain.CodeMalformed, "the JSON nests deeper than %d levels", maxDepth)
		case tooMany(dec):
			return domain.Refuse(domain.CodeMalformed, "an array has more than %d items: %s", maxItems, shortPointer(dec.StackPointer().Parent()))
		case token.Kind() == '0' && !sensibleNumber(token.String()):
			return domain.Refuse(domain.CodeMalformed, "the number at byte %d is too long or too large",
				dec.InputOffset()-int64(len(token.String())))
		}
		if dec.StackDepth() == 0 {
			// The value is complete. A jsontext decoder would read a next one; only
			// white space may follow.
			if rest := bytes.Trim(body[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
				return domain.Refuse(domain.CodeMalformed, "unexpected data after the JSON at byte %d", dec.InputOffset())
			}
			return nil
		}
	}
}

// tooMany reports that the token that was read last is one too many of its array.
func tooMany(dec *jsontext.Decoder) bool {
	kind, length := dec.StackIndex(dec.StackDepth())
	return kind == '[' && length > maxItems
}

func malformedJSON(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return domain.Refuse(domain.CodeMalformed, "the JSON has a duplicate field: %s", shortPointer(syntax.JSONPointer))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return domain.Refuse(domain.CodeMalformed, "the JSON ends too early")
	case errors.As(err, &syntax):
		return domain.Refuse(domain.CodeMalformed, "this isn't JSON in UTF-8, from byte %d on", syntax.ByteOffset)
	}
	return err
}

// sensibleNumber checks the text of a number, since the value of 1e-131000 is 0.
func sensibleNumber(number string) bool {
	if len(number) > maxNumber {
		return false
	}
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(number[i+1:])
		if err != nil || exponent < -maxExponent || exponent > maxExponent {
			return false
		}
	}
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// jsonAPI is Huma's API with our JSON. Answers are JSON regardless of Accept; an
// operation with other media types reads the header (Accept).
type jsonAPI struct{ huma.API }

// Negotiate always chooses JSON.
func (jsonAPI) Negotiate(string) (string, error) { return "application/json", nil }

// Marshal is WriteJSON for Huma, which would answer an error with plain text under
// the status of success.
func (jsonAPI) Marshal(w io.Writer, _ string, v any) error {
	WriteJSON(w, v)
	return nil
}

// WriteJSON writes v with the members of maps in order, so that the same state
// always gives the same bytes; nil slices as []; times in UTC with six digits of
// microseconds, so that texts of times have one width and sort as times; and strings of raw
// JSON unchanged, so that an event has the bytes that are in the log. It panics, before it writes a
// byte, for a value that has no JSON form: that is a mistake in the program.
func WriteJSON(w io.Writer, v any) {
	body, err := json.Marshal(v, json.Deterministic(true), jsontext.PreserveRawStrings(true), json.WithMarshalers(timesInOneWidth))
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(body) // fails only where the client has gone
}

const timeForm6 = "2006-01-02T15:04:05.000000Z"

var timesInOneWidth = json.MarshalToFunc(func(enc *jsontext.Encoder, at time.Time) error {
	return enc.WriteToken(jsontext.String(at.UTC().Format(timeForm6)))
})

// Unmarshal parses a body that check has accepted. It also refuses unknown, repeated
// and differently cased members.
func (jsonAPI) Unmarshal(_ string, data []byte, v any) error {
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}

// typeOf is short for what huma.Registry takes.
func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
