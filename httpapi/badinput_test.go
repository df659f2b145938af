package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/internal/apitest"

	"golang.org/x/text/unicode/norm"
)

// badBody is a body that an operation must refuse.
type badBody struct {
	name, body string
	code       domain.Code
	// pointer is where validation-failed must point; "?" is anywhere.
	pointer string
}

// badBodies are bodies of an operation that are wrong in one way each, made
// from a good one.
func (d *published) badBodies(e *endpoint, id string) []badBody {
	good := d.exampleBody(e, id)
	whole := func(name, body string) badBody { return badBody{name, body, domain.CodeMalformed, ""} }
	bad := []badBody{
		whole("no JSON", "name=x&to=y"),
		whole("cut off", good[:len(good)-1]),
		whole("two", good+good),
		whole("something after it", good+" x"),
		whole("single quotes", "{'a': 1}"),
		whole("a comment", "{/* */}"),
		whole("a comma too many", good[:len(good)-1]+",}"),
		whole("not UTF-8", "{\"a\xff\":1}"),
		whole("an unpaired surrogate", `{"a":"\ud800"}`),
		whole("a raw control character", "{\"a\":\"\x00\"}"),
		whole("a byte order mark", "\ufeff"+good),
		whole("too deep", strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)),
		whole("deep inside a member", `{"a":`+strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 41)),
		whole("a huge number", `{"a":1e131000}`),
		whole("a long number", `{"a":`+strings.Repeat("9", 400)+`}`),
		whole("NaN", `{"a":NaN}`),
		whole("a long array", `{"a":[`+strings.Repeat("1,", 1_000)+`1]}`),
		{"null", "null", domain.CodeValidationFailed, ""},
		{"an array", "[" + good + "]", domain.CodeValidationFailed, ""},
		{"a string", jsonOf(good), domain.CodeValidationFailed, ""},
		{"a number", "1", domain.CodeValidationFailed, ""},
		{"a member unknown", `{"nonsense":1,` + good[1:], domain.CodeValidationFailed, "/nonsense"},
		{"$schema", `{"$schema":"x",` + good[1:], domain.CodeValidationFailed, "/$schema"},
		{"__proto__", `{"__proto__":{},` + good[1:], domain.CodeValidationFailed, "/__proto__"},
		{"an empty name", `{"":1,` + good[1:], domain.CodeValidationFailed, "/"},
		{"tenant_id", `{"tenant_id":"` + id + `",` + good[1:], domain.CodeValidationFailed, "/tenant_id"},
	}
	return append(bad, d.badObject(e.body(), id, "", func(object string) string { return object })...)
}

// badObject are bodies that are wrong in one member of an object in them, which
// stands at a pointer; within puts the object into a body.
func (d *published) badObject(s *jsonSchema, id, at string, within func(string) string) (bad []badBody) {
	for _, name := range slices.Sorted(maps.Keys(d.resolve(s).Properties)) {
		bad = append(bad, d.badMember(s, id, at, name, within)...)
	}
	return bad
}

// badMember are those of one of the object's members.
func (d *published) badMember(s *jsonSchema, id, at, name string, within func(string) string) []badBody {
	schema := d.resolve(s)
	member := d.resolve(schema.Properties[name])
	all := jsonOf(d.example(schema, id))
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(all), &members); err != nil {
		panic(err)
	}
	with := func(value string) string {
		changed := maps.Clone(members)
		changed[name] = json.RawMessage(value)
		return within(jsonOf(changed))
	}
	upper := strings.ToUpper(name[:1]) + name[1:]
	pointer := at + "/" + name
	bad := []badBody{
		{pointer + " twice", within(fmt.Sprintf(`{%q:%s,%s`, name, members[name], all[1:])), domain.CodeMalformed, ""},
		{pointer + " in capitals too", within(fmt.Sprintf(`{%q:%s,%s`, strings.ToUpper(name), members[name], all[1:])), domain.CodeValidationFailed, at + "/" + strings.ToUpper(name)},
		{pointer + " in another case too", within(fmt.Sprintf(`{%q:%s,%s`, upper, members[name], all[1:])), domain.CodeValidationFailed, at + "/" + upper},
		{pointer + " a float", with("1.5"), domain.CodeValidationFailed, pointer},
		{pointer + " huge", with("99999999999999999999"), domain.CodeValidationFailed, pointer},
	}
	add := func(what, value string) {
		bad = append(bad, badBody{pointer + " " + what, with(value), domain.CodeValidationFailed, pointer})
	}
	if slices.Contains(member.Type, "object") {
		add("a string", `"x"`)
		add("an array", `[{}]`)
		bad = append(bad, badBody{pointer + " with a member unknown", with(`{"a":1}`), domain.CodeValidationFailed, pointer + "/a"})
		bad = append(bad, d.badObject(member, id, pointer, with)...)
	} else {
		add("an object", `{"a":1}`)
	}
	if !slices.Contains(member.Type, "null") {
		add("null", "null")
	}
	if !slices.Contains(member.Type, "boolean") {
		add("true", "true")
	}
	if slices.Contains(schema.Required, name) {
		without := maps.Clone(members)
		delete(without, name)
		bad = append(bad, badBody{pointer + " absent", within(jsonOf(without)), domain.CodeValidationFailed, pointer})
	}
	switch {
	case slices.Contains(member.Type, "array"):
		add("a string", `"x"`)
		bad = append(bad, badBody{pointer + " with null", with(`[null]`), domain.CodeValidationFailed, pointer + "/0"})
		if item := d.resolve(member.Items); slices.Contains(item.Type, "string") {
			bad = append(bad, badBody{pointer + " with NUL", with(`["a\u0000"]`), domain.CodeValidationFailed, pointer + "/0"},
				badBody{pointer + " with a number", with(`[1]`), domain.CodeValidationFailed, pointer + "/0"},
				badBody{pointer + " with an empty one", with(`[""]`), domain.CodeValidationFailed, pointer + "/0"})
			if item.MaxLength != nil {
				bad = append(bad, badBody{pointer + " with a long one", with(`["` + strings.Repeat("ä", *item.MaxLength+1) + `"]`), domain.CodeValidationFailed, pointer + "/0"})
			}
		}
		if item := d.resolve(member.Items); slices.Contains(item.Type, "object") {
			bad = append(bad, d.badObject(item, id, pointer+"/0", func(object string) string { return with("[" + object + "]") })...)
		}
		if member.MinItems != nil {
			add("empty", "[]")
		}
		if member.MaxItems != nil {
			var many []string
			for i := range *member.MaxItems + 1 {
				many = append(many, fmt.Sprint(i))
			}
			add("with too many", jsonOf(many))
		}
		if member.UniqueItems {
			bad = append(bad, badBody{pointer + " with one twice", with(`["a","b","a"]`), domain.CodeValidationFailed, pointer + "/2"})
		}
	case slices.Contains(member.Type, "string"):
		add("a number", "1")
		add("an array", `["x"]`)
		add("NUL", `"valid\u0000valid"`)
		add("a C1 control", `"valid\u0085valid"`)
		if member.MaxLength != nil {
			add("too long", `"`+strings.Repeat("x", *member.MaxLength+1)+`"`)
			add("far too long", `"`+strings.Repeat("\U0001F600", 100_000)+`"`)
		}
		if member.MinLength != nil {
			add("empty", `""`)
		}
		if len(member.Enum) > 0 {
			add("another word", `"nonsense"`)
			add("in upper case", jsonOf(strings.ToUpper(member.Enum[0].(string))))
			add("empty", `""`)
		}
		for _, text := range map[string][]string{
			"uuid": {"", "me", id + "0", "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), id[:35] + "g", " " + id},
			"date": {"", "2027-02-30", "2027-1-1", "27-01-01", "2027-01-01T00:00:00Z", "01/02/2027", "0000-01-01", "10000-01-01", "-001-01-01"},
			"uri": {"", "x", "/x", "//x.example/y", "http://hooks.example.org/x", "https://", "https:///x", "https:x", "ftp://x.example/y", "javascript:alert(1)",
				"https://127.0.0.1/x", "https://10.0.0.1/x", "https://[::1]/x", "https://169.254.169.254/x", "https://u:p@x.example/y", "https://x.example/ y", "https://8.8.8.8:22/x"},
			"idn-email": {"", "x", "@x", "x@", "x y@z", "X <x@y.example>", "x@y.example\n", "x@y.example, z@y.example", strings.Repeat("x", 250) + "@y.example"},
		}[member.Format] {
			add("as "+text, jsonOf(text))
		}
	}
	return bad
}

// Every operation that has a body refuses everything that is wrong with one in
// the documented way, and nothing happens.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(w)
	owner := s.as(domain.Owner)
	here := map[string]string{
		"/v1/projects/{id}": s.project(owner), "/v1/projects/{id}/transitions": s.project(owner), "/v1/projects/{id}/tasks": s.project(owner),
		"/v1/tasks/{id}": s.task(owner), "/v1/tasks/{id}/comments": s.task(owner), "/v1/comments/{id}": s.comment(owner),
		"/v1/members/{user_id}": s.as(domain.Member).id.String(), "/v1/api-keys/{id}/rotate": s.apiKey(),
	}
	member := s.as(domain.Member).id.String()
	tried := 0
	for _, e := range w.published.endpoints {
		if e.RequestBody == nil {
			continue
		}
		if e.takesID() && here[e.Path] == "" {
			t.Errorf("%s: which id?", e.ID)
		}
		target := e.at(here[e.Path])
		before := w.events()
		for _, bad := range w.published.badBodies(e, member) {
			a := owner.send(e.Method, target, bad.body)
			tried++
			if wrong := a.isnt(bad.code); wrong != "" {
				t.Errorf("%s: %s: %s: got %d %s\n%.300s", e.ID, bad.name, wrong, a.Code, a.Body, bad.body)
				continue
			}
			pointed := slices.ContainsFunc(a.problem().Errors, func(f apitest.FieldError) bool { return f.Pointer == bad.pointer })
			if bad.code == domain.CodeValidationFailed && !pointed {
				t.Errorf("%s: %s: nothing points at %q: %s", e.ID, bad.name, bad.pointer, a.Body)
			}
			if a.Body.Len() > 4_000 {
				t.Errorf("%s: %s: an answer of %d bytes", e.ID, bad.name, a.Body.Len())
			}
		}
		tooLarge := `{"a":"` + strings.Repeat("x", maxBody) + `"}`
		owner.send(e.Method, target, tooLarge).refused(domain.CodePayloadTooLarge)
		req := owner.request(e.Method, target, tooLarge)
		req.ContentLength = -1 // as with chunked coding
		owner.do(req).refused(domain.CodePayloadTooLarge)
		owner.send(e.Method, target, "", "Content-Type", edge.JSONMediaType).refused(domain.CodeMalformed)
		good := w.published.exampleBody(e, member)
		for _, media := range []string{
			"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "application/problem+json",
			"application/json; charset=utf-16", "application/json; charset=iso-8859-1", "application/json, text/plain", "json", "*/*",
		} {
			owner.send(e.Method, target, good, "Content-Type", media).refused(domain.CodeUnsupportedMediaType)
		}
		owner.send(e.Method, target, good, "Content-Encoding", "gzip").refused(domain.CodeUnsupportedMediaType)
		if e.Method != http.MethodPatch {
			owner.send(e.Method, target, good, "Content-Type", patchMediaType).refused(domain.CodeUnsupportedMediaType)
		}
		if w.events() != before {
			t.Errorf("%s: something that was refused left an event", e.ID)
		}
	}
	if tried < 500 {
		t.Errorf("only %d bodies tried", tried)
	}
}

// Every operation refuses query parameters that it doesn't know, and those that
// it knows where they are wrong.
func TestBadParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(w)
	owner := s.as(domain.Owner)
	project, task, comment := s.project(owner), s.task(owner), s.comment(owner)
	for _, e := range w.published.endpoints {
		id := project
		switch {
		case strings.HasPrefix(e.Path, "/v1/tasks"):
			id = task
		case strings.HasPrefix(e.Path, "/v1/comments"):
			id = comment
		}
		target := e.at(id)
		if e.ID == "get-problem" {
			target = e.at("not-found")
		}
		before := w.events()
		send := func(query string) *answer {
			return owner.send(e.Method, target+"?"+query, w.published.exampleBody(e, random()))
		}
		for _, unknown := range []string{"nonsense=1", "Limit=1", "as_of=1", "min_seq=1", "q=x", "limit%00=1", "=", "tenant_id=" + random()} {
			name, _, _ := strings.Cut(unknown, "=")
			if !slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.In == "query" && p.Name == name }) {
				send(unknown).refused(domain.CodeUnknownParameter)
			}
		}
		for _, malformed := range []string{"limit=%zz", "%", "limit=1;x=2"} {
			send(malformed).refused(domain.CodeMalformed)
		}
		for _, p := range e.Parameters {
			var bad []string
			schema, several := p.Schema, slices.Contains(p.Schema.Type, "array")
			if several {
				schema = p.Schema.Items
			}
			switch {
			case p.In != "query":
				continue
			case p.Name == asOfParameter:
				for _, value := range []string{"%00", "x", "-1", "1.5", "%2B1", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+02:00", "2026-02-30T00:00:00Z", "tomorrow", strings.Repeat("x", 5000)} {
					send("as_of=" + value).refused(domain.CodeMalformed)
				}
			case p.Name == "cursor":
				for _, value := range []string{"%00", "%0d", "%ff", "%ed%a0%80", strings.Repeat("x", 5000)} {
					send("cursor=" + value).refused(domain.CodeCursorInvalid)
				}
			case len(schema.Enum) > 0:
				bad = []string{"nonsense", strings.ToUpper(schema.Enum[0].(string)), "%00"}
			case strings.HasSuffix(p.Name, "_id"):
				bad = []string{"x", "%00", random() + "0", strings.ReplaceAll(random(), "-", ""), "ME", "me," + random()}
				if several {
					bad[len(bad)-1] = "me,," + random()
				}
			case schema.Format == "date":
				bad = []string{"x", "2026-1-1", "2026-02-30", "2026-01-01T00:00:00Z", "tomorrow"}
			case schema.Format == "date-time":
				bad = []string{"x", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01%2000:00:00Z", "2026-13-01T00:00:00Z", "1767225600"}
			case slices.Contains(schema.Type, "integer"):
				bad = []string{"x", "1.5", "1e3", "0x1", "-1", "99999999999999999999", "%2B1", "%201"}
			case slices.Contains(schema.Type, "boolean"):
				bad = []string{"1", "yes", "TRUE", "null"}
			default:
				bad = []string{"%00", "%0d", "%ff", "%ed%a0%80"}
				if schema.MaxLength != nil {
					bad = append(bad, strings.Repeat("x", *schema.MaxLength+1))
				}
			}
			for _, value := range append(bad, "") {
				a := send(p.Name + "=" + value)
				if wrong := a.isnt(domain.CodeValidationFailed); wrong != "" || a.problem().Errors[0].Pointer != "/"+p.Name {
					t.Errorf("%s: %s=%s: %s: got %d %s", e.ID, p.Name, value, wrong, a.Code, a.Body)
				}
			}
			send(p.Name + "=1&" + p.Name + "=1").refused(domain.CodeValidationFailed)
		}
		if e.takesID() {
			for _, id := range []string{"x", "0", "00000000-0000-0000-0000-000000000000", project[:35], project + "0", "\x00", "..", "{" + project + "}", "me"} {
				body := w.published.exampleBody(e, owner.id.String())
				if a := owner.send(e.Method, e.at(id), body); a.isnt(domain.CodeNotFound) != "" {
					t.Errorf("%s: %q: got %d %s", e.ID, id, a.Code, a.Body)
				}
			}
		}
		if n := w.events() - before; n != 0 {
			t.Errorf("%s: something that was refused left %d events", e.ID, n)
		}
	}
}

// What a text may hold comes back as it was sent, in NFC, and doesn't stop a subscription.
func TestUnusualTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	for _, text := range []string{
		"'; drop table events; --", `\`, `"`, `%s%d$1`, "<script>alert(1)</script>", "x\u2028\u2029", "\ufeff", "\uFFFF\U0010FFFF", "e\u0301\u202e", "a\nb\tc",
		strings.Repeat("\U0001F600", 200), strings.Repeat(`"`, 200), "{{.}} ${x}", "\u00a0x", "null", "\u200b",
		"👨\u200d👩\u200d👧\u200d👦 می\u200cخواهم क्\u200dष",
	} {
		description := strings.Repeat(text, 4_000/len([]rune(text)))
		name := text
		if domain.HiddenCharacter(name) != "" || !strings.ContainsFunc(name, domain.Visible) {
			// Only a description may hold it.
			a := ann.post("/v1/projects", jsonOf(map[string]any{"name": name, "description": description})).refused(domain.CodeValidationFailed)
			if found := a.Errors; len(found) != 1 || found[0].Pointer != "/name" {
				t.Errorf("%+q: %+v", name, found)
			}
			name = "n"
		}
		made := ann.post("/v1/projects", jsonOf(map[string]any{"name": name, "description": description})).want(201)
		p := as[projectBody](made)
		got := as[projectBody](ann.get("/v1/projects/" + p.ID.String()).want(200))
		want := norm.NFC.String(name)
		if p.Name != want || got.Name != want || *got.Description != norm.NFC.String(description) {
			t.Errorf("%.40q came back as %.40q, %.40q", text, got.Name, *got.Description)
		}
		changed := ann.patch("/v1/projects/"+p.ID.String(), jsonOf(map[string]any{"description": "x", "name": "x"})).want(200)
		w.caughtUp(as[currentUserBody](ann.get("/v1/me").want(200)).Memberships[0].TenantID, changed.seq())
		ann.get("/v1/projects/" + p.ID.String() + "/history").want(200)
	}
	// The largest event that can be: everything changes from its longest to its longest.
	long := func(begin, fill string) string {
		text := func(n int) string { return begin + strings.Repeat(fill, n-len(begin)) }
		var labels []string
		for i := range domain.MaxLabels {
			begin = fmt.Sprint(10 + i)
			labels = append(labels, text(domain.MaxLabel))
		}
		return jsonOf(map[string]any{"title": text(domain.MaxName), "description": text(domain.MaxDescription), "labels": labels})
	}
	p := ann.project(strings.Repeat("\U0001F600", domain.MaxName))
	for first, second := range map[string]string{"\U0001F600": "\U0001F601", `"`: `\`, "\n": "\t"} {
		task := as[taskBody](ann.post("/v1/projects/"+p.ID.String()+"/tasks", long("a", first)).want(201))
		ann.patch("/v1/tasks/"+task.ID.String(), long("b", second)).want(200)
		ann.get("/v1/tasks/" + task.ID.String() + "/history").want(200)
	}
}
