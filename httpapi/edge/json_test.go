package edge

import (
	"bufio"
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/go-json-experiment/json"

	"docket/domain"
	"docket/internal/apitest"
)

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	deep := strings.Repeat(`{"free":`, 33) + `1` + strings.Repeat(`}`, 33)
	for name, body := range map[string]string{
		"not JSON":            `name=x`,
		"white space":         "  ",
		"cut off":             `{"name":"abc"`,
		"cut off in a string": `{"name":"ab`,
		"trailing data":       `{"name":"abc"} {"name":"abd"}`,
		"trailing brace":      `{"name":"abc"}}`,
		"trailing comma":      `{"name":"abc",}`,
		"single quotes":       `{'name':'abc'}`,
		"comment":             `{"name":"abc"} // x`,
		"NaN":                 `{"name":"abc","ratio":NaN}`,
		"leading zero":        `{"name":"abc","count":01}`,
		"byte order mark":     "\ufeff" + `{"name":"abc"}`,
		"twice":               `{"name":"abc","name":"abd"}`,
		"twice inside":        `{"name":"abc","free":{"a":[{"b":1,"b":1}]}}`,
		"twice, escaped":      `{"name":"abc","\u006eame":"abd"}`,
		"invalid UTF-8":       "{\"name\":\"ab\xff\"}",
		"overlong UTF-8":      "{\"name\":\"ab\xc0\x80\"}",
		"UTF-16":              "\xfe\xff\x00{\x00}",
		"unpaired surrogate":  `{"name":"ab\ud800"}`,
		"reversed surrogates": `{"name":"ab\udc00\ud800"}`,
		"raw control":         "{\"name\":\"a\x01b\"}",
		"raw newline":         "{\"name\":\"a\nb\"}",
		"deep":                deep,
		"deep arrays":         strings.Repeat("[", 100_000),
		"1,001 items":         `{"name":"abc","free":{"a":[` + strings.Repeat("1,", 1_000) + `1]}}`,
		"1,001 lists":         `{"name":"abc","free":{"a":[` + strings.Repeat("[],", 1_000) + `[]]}}`,
		"number bomb":         `{"name":"abc","free":{"n":1e131000}}`,
		"small number bomb":   `{"name":"abc","free":{"n":1e-131000}}`,
		"negative bomb":       `{"name":"abc","raw":-1E+0000131000}`,
		"long number":         `{"name":"abc","free":{"n":` + strings.Repeat("1", 33) + `}}`,
		"beyond a float":      `{"name":"abc","ratio":1e309}`,
	} {
		s.posted = nil
		rec := s.send("POST", "/v1/things", body)
		if p := apitest.WantProblem(t, rec, 400, domain.CodeMalformed); s.posted != nil || strings.Contains(p.Detail, "jsontext") {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
	apitest.WantProblem(t, s.send("POST", "/v1/things", "", "Content-Type", "application/json"), 400, domain.CodeMalformed)
}

func TestWellFormedBodies(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for name, body := range map[string]string{
		"white space":    " \r\n\t{ \"name\" : \"abc\" }\r\n ",
		"32 levels":      `{"name":"abc","free":{"a":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}}`,
		"1,000 items":    `{"name":"abc","free":{"a":[` + strings.Repeat("[1],", 999) + `{}],"b":[1]}}`,
		"emoji":          `{"name":"\ud83d\ude00 😀"}`,
		"newline, tab":   `{"name":"a\nb\tc"}`,
		"line end":       `{"name":"a\r\nb\rc"}`,
		"largest number": `{"name":"abc","ratio":1.7976931348623157e308,"big":9223372036854775807}`,
		"small number":   `{"name":"abc","ratio":1e-308}`,
	} {
		if rec := s.send("POST", "/v1/things", body); rec.Code != 201 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	const body = `{"name":"abc"}`
	for media, want := range map[string][2]int{ // POST, PATCH
		"application/json":                              {201, 200},
		"application/json; charset=utf-8":               {201, 200},
		"Application/JSON ; charset=\"UTF-8\"":          {201, 200},
		"application/merge-patch+json":                  {415, 200},
		"application/merge-patch+json;charset=utf-8":    {415, 200},
		"application/json; charset=utf-16":              {415, 415},
		"application/json; charset=iso-8859-1":          {415, 415},
		"application/vnd.docket+json":                   {415, 415},
		"application/json-patch+json":                   {415, 415},
		"text/json":                                     {415, 415},
		"text/plain":                                    {415, 415},
		"application/x-www-form-urlencoded":             {415, 415},
		"multipart/form-data; boundary=x":               {415, 415},
		"application/json, text/plain":                  {415, 415},
		"json":                                          {415, 415},
		"":                                              {415, 415},
		";":                                             {415, 415},
		"application/json; charset=utf-8; charset=utf8": {415, 415},
	} {
		for i, rec := range []*httptest.ResponseRecorder{
			s.send("POST", "/v1/things", body, "Content-Type", media),
			s.send("PATCH", thingPath, body, "Content-Type", media),
		} {
			if rec.Code != want[i] {
				t.Errorf("%q, %d: %d, want %d", media, i, rec.Code, want[i])
			}
			if want[i] == 415 {
				apitest.WantProblem(t, rec, 415, domain.CodeUnsupportedMediaType)
			}
		}
	}
	apitest.WantProblem(t, s.send("POST", "/v1/things", body, "Content-Encoding", "gzip"), 415, domain.CodeUnsupportedMediaType)
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	body := `{"name":"abc"}`
	fits := body + strings.Repeat(" ", maxBody-len(body))
	if rec := s.send("POST", "/v1/things", fits); rec.Code != 201 {
		t.Error(rec.Code, rec.Body)
	}
	apitest.WantProblem(t, s.send("POST", "/v1/things", fits+" "), 413, domain.CodePayloadTooLarge)

	announced := &countingReader{}
	req := httptest.NewRequest("POST", "/v1/things", announced)
	req.ContentLength = maxBody + 1
	early := s.do(req)
	apitest.WantProblem(t, early, 413, domain.CodePayloadTooLarge)
	if announced.n != 0 {
		t.Errorf("%d bytes were read of a body that announced to be too large", announced.n)
	}

	chunked := httptest.NewRequest("POST", "/v1/things", strings.NewReader(fits+" "))
	chunked.ContentLength = -1
	chunked.Header.Set("Content-Type", "application/json")
	rec := s.do(chunked)
	apitest.WantProblem(t, rec, 413, domain.CodePayloadTooLarge)
}

// A body that doesn't come, or comes only in part, is answered, not waited for.
func TestBodyThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.bodyTimeout = time.Millisecond
	server := httptest.NewServer(s)
	defer server.Close()
	for _, hangUp := range []bool{false, true} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		if hangUp {
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 400 || !hangUp && !res.Close {
			t.Error(res.StatusCode, res.Close)
		}
	}
}

// A refusal doesn't wait for the rest of a body that the server won't read. It ends
// the connection.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	s := newGatedSample(t, []middleware{func(ctx huma.Context, _ func(huma.Context)) {
		writeProblem(humagin.Unwrap(ctx), newProblem(&domain.Error{Code: domain.CodeUnauthenticated}, ""))
	}})
	server := httptest.NewServer(s)
	defer server.Close()
	for request, status := range map[string]int{
		"POST /v1/things":   401, // by a gate
		"POST /nowhere":     404,
		"DELETE /v1/things": 405,
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, request+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status || !res.Close {
			t.Error(request, res.StatusCode, res.Close)
		}
	}
}

func TestOperationWithoutBodyIgnoresOne(t *testing.T) {
	t.Parallel()
	if rec := newSample(t).send("POST", thingPath+"/touch", "not json", "Content-Type", "text/plain"); rec.Code != 204 {
		t.Error(rec.Code, rec.Body)
	}
}

// The same state always gives the same bytes.
func TestAnswersAreDeterministic(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for range 50 {
		if got := s.send("GET", "/v1/things", "", "Accept", "text/html, json;q=0.1").Body.String(); got != `{"a":[],"b":[],"c":[],"items":[]}` {
			t.Fatal(got)
		}
	}
}

// What is JSON already keeps its bytes: an event is hashed as it stands in the log.
func TestRawJSONIsLeftAlone(t *testing.T) {
	t.Parallel()
	raw := `{"b":"\u00e9\/<&>\u2028","a":1.0,"a.b":1e2}`
	var out bytes.Buffer
	if err := (jsonAPI{}).Marshal(&out, "", map[string]stdjson.RawMessage{"data": stdjson.RawMessage(raw)}); err != nil || out.String() != `{"data":`+raw+`}` {
		t.Error(out.String(), err)
	}
}

// What checkJSON lets pass has one meaning, whoever reads it.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[true,null,"x\u00e9"]}`, `"\ud83d\ude00"`, `1e5`, `-0.0`, `[[[]]]`, `{"a":{},"A":{}}`, ` 1 `,
		`{"a":1,"a":2}`, "\"\xff\"", `1e131000`, `{} {}`, `"\u0000"`, `[1,]`, `nul`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if checkJSON(body) != nil {
			return
		}
		var one, two any
		if err := stdjson.Unmarshal(body, &one); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if err := json.Unmarshal(body, &two); err != nil {
			t.Fatalf("json v2: %v", err)
		}
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("%#v or %#v", one, two)
		}
		if d := depth(one); d > maxDepth {
			t.Fatalf("%d levels", d)
		}
	})
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			deepest = max(deepest, depth(member))
		}
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}

// No body makes the server fail, and none that is refused reaches a handler.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"name":"abc"}`, `{"name":"abc","inner":{"value":1},"labels":["x"],"free":{"a":[1]},"raw":null}`,
		`{"name":null}`, `{"name":"\u0000\u0000"}`, `{"NAME":"abc"}`, `[]`, `"x"`, `{"name":"abc","due_date":"2026-02-30"}`,
		`{"name":"abc","counts":{"a":99999999999}}`, `{"name":"abc","inners":[{"a.b/c~d":1},{}]}`,
		`{"name":"abc","owner_id":"018f3a5c-0000-7000-8000-000000000001","email":"a@b.c","ratio":1e308,"big":1.5}`,
	} {
		f.Add(seed)
	}
	s := newSample(f)
	f.Fuzz(func(t *testing.T, body string) {
		s.log.Reset()
		for _, method := range []string{"POST", "PATCH"} {
			target := "/v1/things"
			if method == "PATCH" {
				target = thingPath
			}
			s.posted, s.patched = nil, nil
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, s.request(method, target, body)) // the document's validator isn't what is fuzzed
			switch reached := s.posted != nil || s.patched != nil; {
			case rec.Code == 200 || rec.Code == 201:
				if !reached {
					t.Fatal("an answer without a handler")
				}
			case rec.Code == 400 || rec.Code == 422:
				if reached {
					t.Fatalf("refused, but handled: %s", rec.Body)
				}
				if !stdjson.Valid(rec.Body.Bytes()) {
					t.Fatalf("%s", rec.Body)
				}
			default:
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
	})
}

// Times have one width, wherever they stand; those in raw JSON are the log's.
func TestTimesHaveOneWidth(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 3, 1, 2, 3, 4, 193_630_000, time.FixedZone("", 2*60*60))
	whole := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	WriteJSON(&out, map[string]any{"a": at, "b": &whole, "c": []time.Time{at.Add(370 * time.Microsecond)}, "d": (*time.Time)(nil), "e": stdjson.RawMessage(`"2027-03-01T00:00:00.5Z"`)})
	want := `{"a":"2027-03-01T00:03:04.193630Z","b":"2027-03-01T00:00:00.000000Z","c":["2027-03-01T00:03:04.194000Z"],"d":null,"e":"2027-03-01T00:00:00.5Z"}`
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}
