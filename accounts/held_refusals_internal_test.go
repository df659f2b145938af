package accounts

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestRefusalsAreHeldBack(t *testing.T) {
	t.Parallel()
	refusal := errors.New("refused")
	begin := time.Now()
	if err := newHeldRefusals(20*time.Millisecond).hold(t.Context(), refusal); !errors.Is(err, refusal) || time.Since(begin) < 20*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	h := newHeldRefusals(time.Hour)
	ended, end := context.WithCancel(t.Context())
	for range maxHeld {
		go func() { _ = h.hold(ended, refusal) }()
	}
	for len(h.held) < maxHeld {
		time.Sleep(time.Millisecond)
	}
	if err := h.hold(t.Context(), refusal); !errors.Is(err, refusal) { // no place: at once
		t.Error(err)
	}
	end()
	for len(h.held) > 0 {
		time.Sleep(time.Millisecond)
	}
}
