package domain

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// shape reads the stored form of one Go type exactly as Encode writes it: members in
// the order of the struct's fields, none missing, none added, no white space. It takes
// a fifth of encoding/json's time, and a rebuild spends most of its time on reading
// events.
//
// For any other form ok is false and the caller uses encoding/json, which decides
// whether the data is damaged or only unusual. A form that it accepts it reads as
// encoding/json does; a fuzz test compares them.
//
// A shape reads the value at the front of b into v, which must be settable, and
// returns the rest of b. It replaces the value of v and shares no memory with it or
// with b. If ok is false v may be partly written.
type shape func(b []byte, v reflect.Value) (rest []byte, ok bool)

// unmarshal is json.Unmarshal into v, which must be zero.
func (s shape) unmarshal(b []byte, v reflect.Value) error {
	if s != nil {
		if rest, ok := s(b, v); ok && len(rest) == 0 {
			return nil
		}
		v.SetZero()
	}
	return json.Unmarshal(b, v.Addr().Interface())
}

// shapeOf is the shape of a type; nil for a type with an unmarshaler of its own that
// isn't known here, and for a kind that no event has.
func shapeOf(t reflect.Type) shape {
	switch {
	case t == reflect.TypeFor[Personal]():
		return personalShape
	case t == reflect.TypeFor[json.RawMessage]():
		return rawShape
	case t.Kind() == reflect.Array && t.ConvertibleTo(reflect.TypeFor[uuid.UUID]()):
		return idShape
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()),
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return textShape
	case reflect.Int, reflect.Int64:
		return intShape
	case reflect.Bool:
		return boolShape
	case reflect.Pointer:
		return pointerShape(t.Elem())
	case reflect.Slice:
		return sliceShape(t)
	case reflect.Struct:
		return structShape(t)
	}
	return nil
}

// member is a field of a struct.
type member struct {
	index int
	key   string // with quotes and colon
	// optional is set for omitempty: the member may be missing.
	optional bool
	read     shape
}

func structShape(t reflect.Type) shape {
	var members []member
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		read := shapeOf(f.Type)
		if name == "" || name == "-" || f.Anonymous || !f.IsExported() || read == nil || options != "" && options != "omitempty" {
			return nil
		}
		members = append(members, member{f.Index[0], strconv.Quote(name) + ":", options != "", read})
	}
	return func(b []byte, v reflect.Value) ([]byte, bool) {
		before := byte('{')
		for i := range members {
			m := &members[i]
			if len(b) <= len(m.key) || b[0] != before || string(b[1:1+len(m.key)]) != m.key {
				if !m.optional {
					return b, false
				}
				v.Field(m.index).SetZero()
				continue
			}
			var ok bool
			if b, ok = m.read(b[1+len(m.key):], v.Field(m.index)); !ok {
				return b, false
			}
			before = ','
		}
		if before == '{' {
			return after(b, "{}")
		}
		return after(b, "}")
	}
}

func pointerShape(elem reflect.Type) shape {
	read := shapeOf(elem)
	if read == nil {
		return nil
	}
	return func(b []byte, v reflect.Value) ([]byte, bool) {
		if rest, null := after(b, "null"); null {
			v.SetZero()
			return rest, true
		}
		p := reflect.New(elem)
		rest, ok := read(b, p.Elem())
		v.Set(p)
		return rest, ok
	}
}

func sliceShape(t reflect.Type) shape {
	read := shapeOf(t.Elem())
	if read == nil {
		return nil
	}
	return func(b []byte, v reflect.Value) ([]byte, bool) {
		if rest, null := after(b, "null"); null {
			v.SetZero()
			return rest, true
		}
		if rest, none := after(b, "[]"); none {
			v.Set(reflect.MakeSlice(t, 0, 0))
			return rest, true
		}
		v.SetZero()
		for n, before := 0, "["; ; n, before = n+1, "," {
			rest, more := after(b, before)
			if !more {
				return b, false
			}
			v.Grow(1)
			v.SetLen(n + 1)
			var ok bool
			if b, ok = read(rest, v.Index(n)); !ok {
				return b, false
			}
			if rest, end := after(b, "]"); end {
				return rest, true
			}
		}
	}
}

func personalShape(b []byte, v reflect.Value) ([]byte, bool) {
	p := v.Addr().Interface().(*Personal)
	b, ok := after(b, `{"$p":{"subject":`)
	if !ok {
		return b, false
	}
	if b, ok = readID(b, p.Subject[:]); !ok {
		return b, false
	}
	if b, ok = after(b, `,"key":"`+KeyNone+`","value":`); !ok {
		return b, false
	}
	if p.Value, b, ok = readText(b); !ok {
		return b, false
	}
	return after(b, "}}")
}

func rawShape(b []byte, v reflect.Value) ([]byte, bool) {
	n, plain := textLen(b)
	if !plain {
		if n = valueLen(b); n == 0 || !json.Valid(b[:n]) {
			return b, false
		}
	}
	v.SetBytes(bytes.Clone(b[:n]))
	return b[n:], true
}

func idShape(b []byte, v reflect.Value) ([]byte, bool) { return readID(b, v.Bytes()) }

func textShape(b []byte, v reflect.Value) ([]byte, bool) {
	text, rest, ok := readText(b)
	v.SetString(text)
	return rest, ok
}

func intShape(b []byte, v reflect.Value) ([]byte, bool) {
	n := numberLen(b)
	// encoding/json decides on other forms of the number.
	i, err := strconv.ParseInt(string(b[:n]), 10, 64)
	if err != nil || v.OverflowInt(i) || strconv.FormatInt(i, 10) != string(b[:n]) {
		return b, false
	}
	v.SetInt(i)
	return b[n:], true
}

func boolShape(b []byte, v reflect.Value) ([]byte, bool) {
	rest, yes := after(b, "true")
	v.SetBool(yes)
	if yes {
		return rest, true
	}
	return after(b, "false")
}

// after returns the rest of b after a text at its front.
func after(b []byte, text string) (rest []byte, ok bool) {
	if len(b) < len(text) || string(b[:len(text)]) != text {
		return b, false
	}
	return b[len(text):], true
}

func readID(b, id []byte) (rest []byte, ok bool) {
	const length = len(`"00000000-0000-0000-0000-000000000000"`)
	if len(b) < length || b[0] != '"' || b[length-1] != '"' {
		return b, false
	}
	u, err := uuid.ParseBytes(b[1 : length-1])
	if err != nil {
		return b, false
	}
	copy(id, u[:])
	return b[length:], true
}

func readText(b []byte) (text string, rest []byte, ok bool) {
	n, plain := textLen(b)
	switch {
	case n == 0:
		return "", b, false
	case plain:
		return string(b[1 : n-1]), b[n:], true
	}
	err := json.Unmarshal(b[:n], &text)
	return text, b[n:], err == nil
}

// textLen is the length of the JSON string at the front of b, with its quotes; 0 if
// there is none. plain says that it is valid UTF-8 without escapes.
func textLen(b []byte) (n int, plain bool) {
	if len(b) == 0 || b[0] != '"' {
		return 0, false
	}
	plain, ascii := true, true
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain && (ascii || utf8.Valid(b[1:i]))
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			plain = false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return 0, false
}

func numberLen(b []byte) int {
	for n, c := range b {
		if (c < '0' || c > '9') && strings.IndexByte("+-.eE", c) < 0 {
			return n
		}
	}
	return len(b)
}

// valueLen is the length of the value at the front of b, if it is valid JSON; 0 if
// there is none. It reads lists of strings, and nothing deeper: no Change has it.
func valueLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		n, _ := textLen(b)
		return n
	case '[':
		for i := 1; i < len(b); {
			switch b[i] {
			case ']':
				return i + 1
			case '[', '{':
				return 0
			case '"':
				n, _ := textLen(b[i:])
				if n == 0 {
					return 0
				}
				i += n
			default:
				i++
			}
		}
		return 0
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if _, ok := after(b, word); ok {
			return len(word)
		}
	}
	return numberLen(b)
}
