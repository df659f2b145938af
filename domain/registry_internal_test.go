package domain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// noted is an event whose form changed twice: "text" was "body" before, and "note"
// before that.
type noted struct {
	Text string `json:"text"`
	Via  string `json:"via"`
}

func (noted) EventType() string { return "test.noted" }

type alsoNoted struct{}

func (alsoNoted) EventType() string { return "test.noted" }

// renamed is an upcaster that also records that it ran.
func renamed(from, to string) Upcaster {
	return func(data json.RawMessage) (json.RawMessage, error) {
		var m map[string]string
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, err
		}
		v, ok := m[from]
		if !ok {
			return nil, errors.New("no " + from)
		}
		delete(m, from)
		m[to], m["via"] = v, m["via"]+from+" "
		return json.Marshal(m)
	}
}

func TestUpcastersRunInOrder(t *testing.T) {
	t.Parallel()
	reg := register(define[noted]("test", renamed("note", "body"), renamed("body", "text")))
	if v := reg["test.noted"].Version; v != 3 {
		t.Fatalf("two upcasters lead to version %d", v)
	}
	for _, c := range []struct {
		version int
		data    string
		want    noted
	}{
		{1, `{"note":"x"}`, noted{"x", "note body "}},
		{2, `{"body":"x"}`, noted{"x", "body "}},
		{3, `{"text":"x"}`, noted{"x", ""}},
	} {
		data := json.RawMessage(c.data)
		got, err := reg.decode("test.noted", c.version, data)
		if err != nil || got != c.want {
			t.Errorf("version %d: %+v, %v; want %+v", c.version, got, err, c.want)
		}
		if string(data) != c.data {
			t.Errorf("version %d: the stored data was changed", c.version)
		}
	}
	if _, err := reg.decode("test.noted", 4, json.RawMessage(`{"text":"x"}`)); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("version 4: %v", err)
	}
	// An upcaster fails on damaged data, which no newer version could read either.
	if _, err := reg.decode("test.noted", 1, json.RawMessage(`{"body":"x"}`)); err == nil || errors.Is(err, ErrUnknownEvent) {
		t.Errorf("an upcaster that fails: %v", err)
	}
}

func TestUpcasterReturnsNothing(t *testing.T) {
	t.Parallel()
	for _, nothing := range []json.RawMessage{nil, json.RawMessage("null")} {
		reg := register(define[noted]("test", func(json.RawMessage) (json.RawMessage, error) { return nothing, nil }))
		if e, err := reg.decode("test.noted", 1, json.RawMessage(`{}`)); err == nil {
			t.Errorf("%q was decoded as %+v", nothing, e)
		}
	}
}

func TestUpcasterPanics(t *testing.T) {
	t.Parallel()
	reg := register(define[noted]("test", func(json.RawMessage) (json.RawMessage, error) { panic("no such field") }))
	e, err := reg.decode("test.noted", 1, json.RawMessage(`{}`))
	if err == nil || e != nil || errors.Is(err, ErrUnknownEvent) || !strings.Contains(err.Error(), "no such field") {
		t.Errorf("decoded as %+v, %v", e, err)
	}
}

// Decode reads a version that is only learned, while Encode writes the previous one.
func TestLearnedVersion(t *testing.T) {
	t.Parallel()
	down := Downcaster(renamed("text", "body"))
	reg := register(define[noted]("test", renamed("note", "body"), renamed("body", "text")).learned(down))
	d, data, err := reg.encode(noted{Text: "x"})
	if err != nil || d.Version != 2 || d.Reads != 3 || string(data) != `{"body":"x","via":"text "}` {
		t.Errorf("written in version %d of %d as %s, %v", d.Version, d.Reads, data, err)
	}
	// A field that only the learned version has is absent from the stored event.
	if e, err := d.AsStored(noted{Text: "x", Via: "y"}, json.RawMessage(`{"body":"x","via":"z "}`)); err != nil || e != (noted{"x", "z body "}) {
		t.Errorf("as stored: %+v, %v", e, err)
	}
	plain := register(define[noted]("test"))["test.noted"]
	if e, err := plain.AsStored(noted{Text: "x"}, nil); err != nil || e != (noted{Text: "x"}) {
		t.Errorf("as stored: %+v, %v", e, err)
	}
	for version, data := range map[int]string{1: `{"note":"x"}`, 2: `{"body":"x"}`, 3: `{"text":"x"}`} {
		if e, err := reg.decode("test.noted", version, json.RawMessage(data)); err != nil || e.(noted).Text != "x" {
			t.Errorf("version %d: %+v, %v", version, e, err)
		}
	}
	if _, err := reg.decode("test.noted", 4, json.RawMessage(`{"text":"x"}`)); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("version 4: %v", err)
	}
}

func TestLearnedType(t *testing.T) {
	t.Parallel()
	reg := register(define[noted]("test").learned(nil))
	if d, data, err := reg.encode(noted{Text: "x"}); err == nil {
		t.Errorf("written in version %d as %s", d.Version, data)
	}
	if e, err := reg.decode("test.noted", 1, json.RawMessage(`{"text":"x"}`)); err != nil || e != (noted{Text: "x"}) {
		t.Errorf("read as %+v, %v", e, err)
	}
	for name, wrong := range map[string]func(){
		"a version without a downcaster": func() { define[noted]("test", renamed("body", "text")).learned(nil) },
		"a type with one":                func() { define[noted]("test").learned(Downcaster(renamed("text", "body"))) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was accepted", name)
				}
			}()
			wrong()
		}()
	}
}

func TestAddField(t *testing.T) {
	t.Parallel()
	up := addField("count", 7)
	for data, want := range map[string]string{
		`{}`:                                     `{"count":7}`,
		`{"text":"<\"&>","n":1.50,"o":{"b":[]}}`: `{"count":7,"n":1.50,"o":{"b":[]},"text":"<\"&>"}`,
		`{"count":3}`:                            `{"count":7}`,
	} {
		given := json.RawMessage(data)
		got, err := up(given)
		if err != nil || string(got) != want || string(given) != data {
			t.Errorf("%s was upcast to %s (%v), and is %s; want %s", data, got, err, given, want)
		}
	}
	for _, data := range []string{``, `null`, `[]`, `7`, `{"a":`} {
		if got, err := up(json.RawMessage(data)); err == nil {
			t.Errorf("%s was upcast to %s", data, got)
		}
	}
}

func TestRegisterRefusesDuplicates(t *testing.T) {
	t.Parallel()
	for name, defs := range map[string][]Definition{
		"one type twice":          {define[noted]("test"), define[noted]("test")},
		"two types with one name": {define[noted]("test"), define[alsoNoted]("test")},
		"one type by two names":   {define[noted]("test"), {Type: "test.other", goType: define[noted]("test").goType}},
	} {
		func() {
			defer func() {
				if msg, ok := recover().(string); !ok || !strings.Contains(msg, "registered twice") {
					t.Errorf("%s was registered", name)
				}
			}()
			register(defs...)
		}()
	}
}

type withPersonal struct {
	Name   Personal  `json:"name,omitempty"`
	Friend *Personal `json:"friend"`
	Plain  string    `json:"plain"`
}

func (withPersonal) EventType() string { return "test.personal" }

func TestPersonalFieldsByTheirStoredNames(t *testing.T) {
	t.Parallel()
	if got := strings.Join(define[withPersonal]("test").Personal, " "); got != "name friend" {
		t.Errorf("personal fields: %s", got)
	}
}
