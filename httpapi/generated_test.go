package httpapi

import (
	stdjson "encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docket/domain"
)

var (
	generated     = flag.Int("generated.requests", 400, "how many requests TestGeneratedRequests makes")
	generatedSeed = flag.Uint64("generated.seed", 0, "the seed of TestGeneratedRequests; 0: a new one")
)

// outside is the role of someone who isn't a member.
const outside domain.Role = "outside"

// perCompany is how many requests a company gets: by then members have left and
// projects are archived.
const perCompany = 500

// slow are operations that hash passwords: they are made more seldom.
var slow = []string{"login", "register", "change-password", "reset-password"}

// No request that the document lets a client think of gets a 5xx, a status that isn't
// declared, or an answer that isn't as its schema says. Requests follow each other: what
// answers show goes into later ones. Each exchange is held against the document.
func TestGeneratedRequests(t *testing.T) {
	t.Parallel()
	seed := *generatedSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-generated.seed %d", seed)
	w := newWorld(t)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), published: w.published}
	registered := w.signUp("Registered")
	answers := map[string]map[int]int{}
	var c *company
	for n := range *generated {
		if n%perCompany == 0 {
			c = w.company(fmt.Sprintf("generated-%d", n/perCompany), "Generated")
			outsider := w.user("Outsider").in(c.id)
			g.ids, g.seen = map[string][]string{}, map[string][]string{
				"password": {password}, "email": {registered.email, outsider.email}, "code": {"not-found"},
			}
			c.staff[outside] = outsider
			for _, p := range c.staff {
				g.ids["members"] = append(g.ids["members"], p.id.String())
			}
			slices.Sort(g.ids["members"])
		}
		e := g.endpoint()
		role := domain.Owner
		if g.sometimes(2) {
			role = append(domain.Roles(), outside)[g.IntN(len(domain.Roles())+1)]
		}
		p := c.as(role)
		if g.sometimes(30) {
			p.token = ""
		}
		a := g.send(p, e)
		if answers[e.ID] == nil {
			answers[e.ID] = map[int]int{}
		}
		answers[e.ID][a.Code]++
		if a.Code >= 500 {
			t.Errorf("%s as %s: %d %s", a.call, role, a.Code, a.Body)
		}
		if a.Code == 401 || e.ID == "logout" || e.ID == "change-password" {
			c.staff[role] = c.as(role).session()
		}
		if t.Failed() {
			t.Fatalf("request %d", n)
		}
	}
	for _, e := range w.published.endpoints {
		got := answers[e.ID]
		t.Logf("%s: %v", e.ID, got)
		needs := slices.Contains(slow, e.ID) || e.ID == "refresh" || e.ID == "verify-email" // a password and its own address
		if *generated >= 20_000 && !needs && !slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(status int) bool { return status < 300 }) {
			t.Errorf("%s never had success: %v", e.ID, got)
		}
	}
}

// endpoint is an operation. More is made than taken away.
func (g *generator) endpoint() *endpoint {
	all := g.published.endpoints
	for {
		e := all[g.IntN(len(all))]
		switch {
		case slices.Contains(slow, e.ID) && !g.sometimes(10), e.Method == "DELETE" && !g.sometimes(3), e.Access == "public" && !g.sometimes(3):
			continue
		case g.sometimes(3) && !strings.HasPrefix(e.ID, "create-"):
			continue
		}
		return e
	}
}

// send makes a request of an operation and keeps what its answer shows.
func (g *generator) send(p person, e *endpoint) *answer {
	noun := ""
	target := pathParameter.ReplaceAllStringFunc(e.Path, func(name string) string {
		before, _, _ := strings.Cut(e.Path, name)
		parts := strings.Split(strings.Trim(before, "/"), "/")
		noun = parts[len(parts)-1]
		return url.PathEscape(g.pathValue(noun, strings.Trim(name, "{}"), e))
	})
	noun = lastNoun(e.Path)
	var header []string
	query := url.Values{}
	for _, param := range e.Parameters {
		switch {
		case param.In == "query" && (param.Required || g.sometimes(5)):
			query.Set(param.Name, g.parameter(param.Name, param.Schema))
		case param.In == "header" && param.Name == "If-Match" && g.sometimes(4):
			header = append(header, param.Name, g.one([]string{`"1"`, `"2"`, `W/"1"`, `"1-gzip"`, `*`, `"x"`, `1`}))
		case param.In == "header" && param.Name == idempotencyHeader && g.sometimes(4):
			header = append(header, param.Name, g.one([]string{strconv.Itoa(g.IntN(50)), strings.Repeat("k", 256), "é"}))
		}
	}
	if g.sometimes(60) {
		query.Set("nonsense", "1")
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	body := ""
	if s := e.body(); s != nil {
		body = jsonOf(g.value("", s))
	}
	a := p.send(e.Method, target, body, header...)
	if a.Code < 300 && strings.HasPrefix(a.Header().Get("Content-Type"), "application/json") {
		var all any
		if err := stdjson.Unmarshal(a.Body.Bytes(), &all); err == nil {
			g.learn(noun, all)
		}
		if seq := a.Header().Get("Docket-Seq"); seq != "" {
			for _, name := range []string{"min_seq", "after_seq", asOfParameter} {
				g.seen[name] = append(g.seen[name], seq)
			}
		}
	}
	return a
}

// pathValue is a value in a path: an id of the noun before it, or a text.
func (g *generator) pathValue(noun, name string, e *endpoint) string {
	text := g.id(noun)
	for _, param := range e.Parameters {
		if param.In == "path" && param.Name == name && param.Schema.Format != "uuid" {
			text = g.text(name, param.Schema)
		}
	}
	if strings.Trim(text, "./") == "" { // it would make another route
		return "x"
	}
	return text
}

// lastNoun is the last word of a path that isn't a parameter.
func lastNoun(path string) string {
	parts := strings.Split(path, "/")
	slices.Reverse(parts)
	return parts[slices.IndexFunc(parts, func(s string) bool { return s != "" && s[0] != '{' })]
}

// parameter is a value of a query's parameter; several are separated by commas.
func (g *generator) parameter(name string, s *jsonSchema) string {
	v := g.value(name, s)
	if all, ok := v.([]any); ok {
		var texts []string
		for _, one := range all {
			texts = append(texts, fmt.Sprint(one))
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(v)
}
