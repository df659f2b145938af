package seal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"docket/internal/seal"
)

func box(t *testing.T, fill byte, purpose string) *seal.Box {
	t.Helper()
	b, err := seal.New(bytes.Repeat([]byte{fill}, 32), purpose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOpenSealedValue(t *testing.T) {
	t.Parallel()
	b := box(t, 'm', "test")
	for _, value := range []string{"", "x", "https://hooks.example.org/services/T/B/secret"} {
		sealed := b.Seal([]byte(value), "tenant/secret")
		if len(value) > 8 && bytes.Contains(sealed, []byte(value)) {
			t.Errorf("the sealed value contains %q", value)
		}
		if again := b.Seal([]byte(value), "tenant/secret"); bytes.Equal(sealed, again) {
			t.Errorf("%q is sealed to the same bytes twice", value)
		}
		got, err := box(t, 'm', "test").Open(sealed, "tenant/secret")
		if err != nil || string(got) != value {
			t.Errorf("got %q, %v, want %q", got, err, value)
		}
	}
}

func TestOpenRefusesOtherValues(t *testing.T) {
	t.Parallel()
	b := box(t, 'm', "test")
	sealed := b.Seal([]byte("value"), "a")
	for name, try := range map[string]func() ([]byte, error){
		"another name":    func() ([]byte, error) { return b.Open(sealed, "b") },
		"another key":     func() ([]byte, error) { return box(t, 'n', "test").Open(sealed, "a") },
		"another purpose": func() ([]byte, error) { return box(t, 'm', "other").Open(sealed, "a") },
		"nothing":         func() ([]byte, error) { return b.Open(nil, "a") },
	} {
		if got, err := try(); !errors.Is(err, seal.ErrUnreadable) || got != nil {
			t.Errorf("%s: got %q, error %v, want ErrUnreadable", name, got, err)
		}
	}
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		if _, err := b.Open(changed, "a"); !errors.Is(err, seal.ErrUnreadable) {
			t.Errorf("byte %d changed: error is %v, want ErrUnreadable", i, err)
		}
		if _, err := b.Open(sealed[:i], "a"); !errors.Is(err, seal.ErrUnreadable) {
			t.Errorf("cut to %d bytes: error is %v, want ErrUnreadable", i, err)
		}
	}
}

func TestShortMasterKey(t *testing.T) {
	t.Parallel()
	if _, err := seal.New(make([]byte, 31), "test"); err == nil {
		t.Error("31 bytes are enough")
	}
}
