package httpapi

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// newContract is a Server that knows its routes and has nothing behind them.
func newContract(t testing.TB, version string) *Server {
	t.Helper()
	s, err := New(Config{MasterKey: bytes.Repeat([]byte("m"), 32), Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The contract needs no database, and the one that is committed is the one that
// the server publishes.
func TestContractIsCommitted(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var about struct{ Info struct{ Version string } }
	if err := json.Unmarshal(committed, &about); err != nil {
		t.Fatal(err)
	}
	published, err := newContract(t, about.Info.Version).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, published) {
		t.Error("openapi.json isn't what the server publishes: go run ./cmd/docket openapi > openapi.json")
	}
}
