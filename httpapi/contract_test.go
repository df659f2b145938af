package httpapi

import (
	"bytes"
	"testing"
)

// newContract is a Server that knows its routes and has nothing behind them.
func newContract(t testing.TB) *Server {
	t.Helper()
	s, err := New(Config{
		Keys:      []SigningKey{{ID: "k", Secret: bytes.Repeat([]byte("k"), minSigningKey)}},
		MasterKey: bytes.Repeat([]byte("m"), minMasterKey), Issuer: "docket", Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
