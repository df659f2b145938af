package projections

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
)

// vocabulary is what a model says of the types of events.
type vocabulary struct {
	name    string
	keys    []string
	ignores []string
}

func vocabularyOf[K comparable, R any](m *model[K, R]) vocabulary {
	v := vocabulary{name: m.Name, ignores: m.Ignores}
	for t := range m.Keys {
		v.keys = append(v.keys, t)
	}
	return v
}

func TestEveryModelHasAWordOnEveryEvent(t *testing.T) {
	t.Parallel()
	registered := map[string]bool{}
	for _, d := range domain.Definitions() {
		registered[d.Type] = true
	}
	var names []string
	for _, v := range []vocabulary{
		vocabularyOf(tenants), vocabularyOf(members), vocabularyOf(projects), vocabularyOf(tasks), vocabularyOf(comments),
		vocabularyOf(search), vocabularyOf(summaries), vocabularyOf(cycles),
		vocabularyOf(activity),
	} {
		names = append(names, v.name)
		for e := range registered {
			folds, ignores := slices.Contains(v.keys, e), slices.Contains(v.ignores, e)
			if folds == ignores {
				t.Errorf("%s: folds %s: %v, ignores it: %v", v.name, e, folds, ignores)
			}
		}
		for _, e := range slices.Concat(v.keys, v.ignores) {
			if !registered[e] {
				t.Errorf("%s has a word on %s, which isn't registered", v.name, e)
			}
		}
	}
	if !slices.Equal(names, Models()) {
		t.Errorf("this test walks %v, there are %v", names, Models())
	}
	for _, name := range Models() {
		if Subscriptions()[name] == nil {
			t.Errorf("%s has no subscription", name)
		}
	}
}

// A project, task, comment or membership is folded by exactly the events of its stream.
func TestModelsFoldTheirStreams(t *testing.T) {
	t.Parallel()
	for _, d := range domain.Definitions() {
		for stream, keys := range map[domain.StreamType][]string{
			domain.TenantStream:  vocabularyOf(tenants).keys,
			domain.MemberStream:  vocabularyOf(members).keys,
			domain.ProjectStream: vocabularyOf(projects).keys,
			domain.TaskStream:    vocabularyOf(tasks).keys,
			domain.CommentStream: vocabularyOf(comments).keys,
		} {
			if got := slices.Contains(keys, d.Type); got != (d.Stream == stream) {
				t.Errorf("the model of %s streams folds %s of a %s stream: %v", stream, d.Type, d.Stream, got)
			}
		}
	}
}

// An event of something that never began is an error, not a row.
func TestFoldOfWhatNeverBegan(t *testing.T) {
	t.Parallel()
	e := domain.Recorded{
		Seq: 7, Version: 2, Stream: domain.Stream(domain.ProjectStream, tenanttest.NewID[domain.ProjectID](t)),
		Event: domain.ProjectStatusChanged{To: domain.Submitted},
	}
	_, err := foldEvents(projects, []domain.Recorded{e})
	if err == nil || !strings.Contains(err.Error(), "no row that it could change") {
		t.Fatalf("got %v", err)
	}
}
