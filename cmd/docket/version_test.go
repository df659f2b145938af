package main

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/internal/cli"
	"docket/migrations"
	"docket/projections"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	schema, err := migrations.Target()
	if err != nil {
		t.Fatal(err)
	}
	o := try(t, nil, "version")
	if o.status != cli.StatusDone || !strings.HasPrefix(o.stdout, "docket "+version()+" (API "+apiVersion) || strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("status %d, %q", o.status, o.stdout)
	}
	b := lines[build](t, try(t, nil, "version", "--json"))[0]
	if b.Version != version() || b.Schema != schema || b.Go != runtime.Version() || b.API != apiVersion {
		t.Errorf("%+v", b)
	}
	models := slices.Sorted(slices.Values(projections.Models()))
	if !slices.Equal(slices.Sorted(maps.Keys(b.Folds)), models) || b.Folds["tasks"] < 1 {
		t.Errorf("folds %v", b.Folds)
	}
}

func TestVersionOfACheckout(t *testing.T) {
	t.Parallel()
	var b build
	for key, value := range map[string]string{
		"vcs.revision": "abc", "vcs.time": "2026-11-23T12:00:00Z", "vcs.modified": "true", "vcs": "git",
	} {
		b.stamp(key, value)
	}
	if b.Commit != "abc" || b.Modified == nil || !*b.Modified || b.CommitTime == nil || !b.CommitTime.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", b)
	}
}
