package httpapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"docket/domain"
)

// forged is a token that a test takes apart and puts together again.
type forged struct {
	header, claims map[string]any
	key            []byte
	hash           func() hash.Hash
}

func (f forged) String() string {
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString([]byte(jsonOf(v))) }
	text := part(f.header) + "." + part(f.claims)
	if f.hash == nil {
		return text + "."
	}
	mac := hmac.New(f.hash, f.key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// takeApart reads a token that is signed with the tests' key.
func takeApart(t *testing.T, token string) forged {
	t.Helper()
	f := forged{key: testKey.Secret, hash: sha256.New}
	for i, v := range []*map[string]any{&f.header, &f.claims} {
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// with is the token with other members, nil for those to be left out, in its
// claims, or in its header where the name begins with a dot.
func (f forged) with(members map[string]any) forged {
	f.header, f.claims = maps.Clone(f.header), maps.Clone(f.claims)
	for name, value := range members {
		in := f.claims
		if strings.HasPrefix(name, ".") {
			in, name = f.header, name[1:]
		}
		if in[name] = value; value == nil {
			delete(in, name)
		}
	}
	return f
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.signUp("Ann"), w.signUp("Bob")
	real := takeApart(t, ann.token)
	now := time.Now().Unix()
	if ann.token = real.String(); ann.get("/v1/me").Code != 200 {
		t.Fatal("a token that was put together again isn't taken")
	}
	try := func(name, token string, code domain.Code) {
		t.Helper()
		p := ann
		p.token = token
		a := p.get("/v1/me")
		if wrong := a.isnt(code); wrong != "" {
			t.Errorf("%s: %s: got %d %s", name, wrong, a.Code, a.Body)
		}
		if got := a.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="docket"`) ||
			strings.Contains(got, "invalid_token") != (code == domain.CodeTokenExpired) {
			t.Errorf("%s: WWW-Authenticate %q", name, got)
		}
	}

	for name, members := range map[string]map[string]any{
		"alg none":              {".alg": "none"},
		"alg HS512 in name":     {".alg": "HS512"},
		"alg RS256":             {".alg": "RS256"},
		"alg hs256":             {".alg": "hs256"},
		"no alg":                {".alg": nil},
		"typ JWT":               {".typ": "JWT"},
		"no typ":                {".typ": nil},
		"typ a number":          {".typ": 1},
		"another kid":           {".kid": "other"},
		"no kid":                {".kid": nil},
		"a path as kid":         {".kid": "../../dev/null"},
		"crit":                  {".crit": []string{"exp"}},
		"another issuer":        {"iss": "someone"},
		"no issuer":             {"iss": nil},
		"another audience":      {"aud": "docket"},
		"no audience":           {"aud": nil},
		"an empty audience":     {"aud": []string{}},
		"no exp":                {"exp": nil},
		"exp null":              {"exp": json.RawMessage("null")},
		"exp a text":            {"exp": "tomorrow"},
		"no nbf":                {"nbf": nil},
		"not yet":               {"nbf": now + 3600},
		"issued in the future":  {"iat": now + 3600},
		"no subject":            {"sub": nil},
		"the nil subject":       {"sub": "00000000-0000-0000-0000-000000000000"},
		"another's subject":     {"sub": bob.id.String()},
		"an unknown subject":    {"sub": random()},
		"a subject that is odd": {"sub": "urn:uuid:" + ann.id.String()},
		"no session":            {"sid": nil},
		"another session":       {"sid": random()},
		"another's session":     {"sid": takeApart(t, bob.token).claims["sid"]},
		"a session that is odd": {"sid": "x"},
	} {
		try(name, real.with(members).String(), domain.CodeUnauthenticated)
	}
	for name, f := range map[string]func(*forged){
		"no signature":        func(f *forged) { f.hash = nil },
		"alg none, unsigned":  func(f *forged) { f.hash, f.header["alg"] = nil, "none" },
		"alg NONE, unsigned":  func(f *forged) { f.hash, f.header["alg"] = nil, "NONE" },
		"HS512, our key":      func(f *forged) { f.hash, f.header["alg"] = sha512.New, "HS512" },
		"another key":         func(f *forged) { f.key = bytes.Repeat([]byte("x"), 32) },
		"an empty key":        func(f *forged) { f.key = nil },
		"its kid as key":      func(f *forged) { f.key = []byte(testKey.ID) },
		"expired, other key":  func(f *forged) { f.key, f.claims["exp"] = []byte("x"), now-3600 },
		"expired, other kind": func(f *forged) { f.header["typ"], f.claims["exp"] = "JWT", now-3600 },
	} {
		copied := real.with(nil)
		f(&copied)
		try(name, copied.String(), domain.CodeUnauthenticated)
	}
	try("expired", real.with(map[string]any{"exp": now - 3600, "nbf": now - 7200, "iat": now - 7200}).String(), domain.CodeTokenExpired)
	try("expired long ago", real.with(map[string]any{"exp": 1}).String(), domain.CodeTokenExpired)

	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	whole := real.String()
	for name, token := range map[string]string{
		"with a line break":  whole + "\n",
		"with a space":       whole + " ",
		"with padding":       whole + "=",
		"two":                whole + " " + whole,
		"cut off":            whole[:len(whole)-1],
		"a fourth part":      whole + ".x",
		"two parts":          whole[:strings.LastIndex(whole, ".")],
		"a long one":         strings.Repeat("a", 100_000) + ".b.c",
		"nothing much":       "...",
		"JSON":               "{}",
		"in standard base64": strings.NewReplacer("-", "+", "_", "/").Replace(whole) + "==",
		// 43 characters have two bits more than the 32 bytes of a signature.
		"a spare bit set": whole[:len(whole)-1] + string(alphabet[strings.IndexByte(alphabet, whole[len(whole)-1])+1]),
	} {
		try(name, token, domain.CodeUnauthenticated)
	}
	// A byte of any part changed is another token.
	for i := 0; i < len(whole); i += 7 {
		if whole[i] != '.' {
			try("tampered", whole[:i]+map[bool]string{true: "x", false: "y"}[whole[i] != 'x']+whole[i+1:], domain.CodeUnauthenticated)
		}
	}
	login := ann.post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": password})).want(200)
	try("a refresh token", as[sessionTokensBody](login).RefreshToken, domain.CodeUnauthenticated)

	for name, values := range map[string][]string{
		"another scheme":   {"Basic " + whole},
		"no scheme":        {whole},
		"scheme alone":     {"Bearer"},
		"two spaces":       {"Bearer  " + whole},
		"a tab":            {"Bearer\t" + whole},
		"two headers":      {"Bearer " + whole, "Bearer " + whole},
		"two in one":       {"Bearer " + whole + ", Bearer " + whole},
		"none":             nil,
		"an empty header":  {""},
		"a quoted one":     {`Bearer "` + whole + `"`},
		"with a parameter": {"Bearer token=" + whole},
	} {
		req := ann.request("GET", "/v1/me", "")
		req.Header[http.CanonicalHeaderKey("Authorization")] = values
		if a := ann.do(req); a.isnt(domain.CodeUnauthenticated) != "" {
			t.Errorf("%s: got %d %s", name, a.Code, a.Body)
		}
	}
	// RFC 7235: the scheme has no case. RFC 6750: a token in the query isn't looked at.
	ann.get("/v1/me", "Authorization", "bEARER "+whole).want(200)
	w.anonymous().get("/v1/me?access_token=" + whole).refused(domain.CodeUnauthenticated)
}
