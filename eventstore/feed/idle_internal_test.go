package feed

import (
	"testing"

	"docket/domain"
)

// A range extends the range that ends where it begins. After a gap, which may have events
// to handle, it replaces that range.
func TestIdleRanges(t *testing.T) {
	t.Parallel()
	to := func(after, through int64) idleRange {
		return idleRange{after, through, domain.CommandID{byte(through)}}
	}
	for name, c := range map[string]struct{ got, want idleRange }{
		"a range continues":               {to(10, 20).then(to(20, 30)), to(10, 30)},
		"a gap":                           {to(10, 20).then(to(25, 30)), to(25, 30)},
		"the first":                       {idleRange{}.then(to(10, 20)), to(10, 20)},
		"the first, from the log's begin": {idleRange{}.then(to(0, 20)), to(0, 20)},
		"none has come since":             {to(10, 20).then(idleRange{}), to(10, 20)},
		"a page has gone past it":         {to(10, 20).beyond(20), idleRange{}},
		"a page has gone some way":        {to(10, 20).beyond(19), to(10, 20)},
		"nothing is there":                {idleRange{}.beyond(20), idleRange{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.got != c.want {
				t.Errorf("the range is %v, want %v", c.got, c.want)
			}
		})
	}
}

// A range that is put back stands in front of what came since, and is taken once.
func TestIgnoreAgain(t *testing.T) {
	t.Parallel()
	f := New(Config{}, nil)
	at := place{domain.TenantID{1}, "filtering"}
	f.pendingIn(at.subscription)
	f.ignore(idleNote{at, idleRange{20, 30, domain.CommandID{30}}})
	f.ignoreAgain(idleNote{at, idleRange{10, 20, domain.CommandID{20}}})
	want := idleNote{at, idleRange{10, 30, domain.CommandID{30}}}
	if got := f.takeIgnored(); len(got) != 1 || got[0] != want {
		t.Errorf("taken is %v, want %v", got, want)
	}
	if got := f.takeIgnored(); len(got) != 0 {
		t.Errorf("taken a second time is %v", got)
	}
}
