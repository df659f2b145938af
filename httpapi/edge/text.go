package edge

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// lineEnds turns the line ends of other systems into newlines.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// normalText is the form in which texts are checked, stored and compared: in NFC, with
// "\n" for each line end.
func normalText(s string) string { return norm.NFC.String(lineEnds.Replace(s)) }

// normalTexts returns a body, which is JSON (checkJSON), with its texts in normalText's
// form. Field names stay: none that is known has another form.
func normalTexts(body []byte) []byte {
	if !bytes.ContainsFunc(body, func(r rune) bool { return r == '\\' || r > 0x7f }) {
		return body // no escape, no character beyond ASCII
	}
	normal, err := withStrings(body, func(_, value string) string { return normalText(value) })
	if err != nil {
		return body // check answers for it
	}
	return normal
}

// canonicalBody is a body's form for comparisons: the order of fields, white space and the
// case of ids don't count. What is no JSON is compared as it is.
func canonicalBody(body []byte) []byte {
	lower, err := withStrings(body, func(field, value string) string {
		if (field == "id" || strings.HasSuffix(field, "_id")) && canonicalUUID.MatchString(value) {
			return strings.ToLower(value)
		}
		return value
	})
	if err != nil {
		return body
	}
	canonical := jsontext.Value(lower)
	if err := canonical.Canonicalize(); err != nil {
		return body
	}
	return canonical
}

// withStrings returns JSON with each string replaced, except field names. replace gets the
// name of the field that has the string, empty in a list.
func withStrings(body []byte, replace func(field, value string) string) ([]byte, error) {
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(body)), jsontext.NewEncoder(&out)
	field := ""
	for {
		parent, position := dec.StackIndex(dec.StackDepth())
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		isName := parent == '{' && position%2 == 0
		switch {
		case token.Kind() == '"' && isName:
			field = token.String()
		case token.Kind() == '"':
			if parent != '{' {
				field = ""
			}
			token = jsontext.String(replace(field, token.String()))
		}
		if err := enc.WriteToken(token); err != nil {
			return nil, err
		}
		if dec.StackDepth() == 0 {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
		}
	}
}
