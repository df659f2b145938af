package domain

import (
	"bytes"
	"encoding/json"
)

// marshal is json.Marshal without its escapes for HTML and JavaScript. An escape
// takes six bytes and a character at most four, so only without them does every
// event with valid texts fit the log's 48 KiB.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return plainSeparators(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// plainSeparators replaces the escapes of U+2028 and U+2029, which the encoder
// always writes, by the characters (RFC 8259 allows them).
func plainSeparators(text []byte) json.RawMessage {
	if !bytes.Contains(text, []byte(`\u202`)) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case bytes.HasPrefix(text[i:], []byte(`\u2028`)):
			out = append(out, "\u2028"...)
			i += len(`\u2028`) - 1
		case bytes.HasPrefix(text[i:], []byte(`\u2029`)):
			out = append(out, "\u2029"...)
			i += len(`\u2029`) - 1
		case text[i] == '\\':
			// The character after a backslash belongs to it, also a second backslash.
			out = append(out, text[i], text[i+1])
			i++
		default:
			out = append(out, text[i])
		}
	}
	return out
}
