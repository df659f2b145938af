package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docket/domain"
)

// throwaway is a git repository of a test's own.
type throwaway struct {
	*testing.T
	repository
	commits int
}

func newThrowaway(t *testing.T) *throwaway {
	t.Helper()
	w := &throwaway{T: t, repository: repository{t.TempDir()}}
	w.must("init", "-q", "-b", "main")
	w.write("thing.made.v1.json", "{}\n")
	w.write("thing.moved.v1.json", `{"to":"here"}`+"\n")
	w.write("thing.moved.v2.json", `{"to":"here","from":"there"}`+"\n")
	w.commit()
	return w
}

// registered is the registry that belongs to the golden files of a throwaway.
func registered() []domain.Definition {
	return []domain.Definition{{Type: "thing.made", Reads: 1, Version: 1}, {Type: "thing.moved", Reads: 2, Version: 2}}
}

func (w *throwaway) must(args ...string) {
	w.Helper()
	set := []string{"-c", "user.name=docket", "-c", "user.email=docket@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}
	if _, err := w.git(append(set, args...)...); err != nil {
		w.Fatal(err)
	}
}

func (w *throwaway) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, golden, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *throwaway) remove(name string) {
	w.Helper()
	if err := os.Remove(filepath.Join(w.dir, golden, name)); err != nil {
		w.Fatal(err)
	}
}

func (w *throwaway) commit() {
	w.Helper()
	w.must("add", "--all")
	w.commits++ // within a second two alike would be one
	w.must("commit", "-q", "--allow-empty", "-m", strconv.Itoa(w.commits))
}

// wants checks, and fails unless the check says so and finds so many things wrong.
func (w *throwaway) wants(said string, registry []domain.Definition, early map[written]string, wrong ...string) {
	w.Helper()
	r, err := check(w.dir, registry, early)
	if err != nil || !strings.Contains(r.said, said) || strings.Contains(r.said, "\n") {
		w.Fatalf("said %q, %v; want %q", r.said, err, said)
	}
	if len(r.wrong) != len(wrong) {
		w.Fatalf("wrong: %q; want %q", r.wrong, wrong)
	}
	for i, want := range wrong {
		if !strings.Contains(r.wrong[i], want) {
			w.Errorf("wrong: %q; want %q", r.wrong[i], want)
		}
	}
}

// A release is what was tagged: what came after it may change, what is in it may not.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do       func(*throwaway)
		registry func([]domain.Definition) []domain.Definition
		early    map[written]string
		wrong    []string
	}{
		"nothing": {},
		"a golden file is edited": {
			do:    func(w *throwaway) { w.write("thing.made.v1.json", "{} \n") },
			wrong: []string{"thing.made.v1.json isn't what it is in v0.2.0"},
		},
		"a golden file is gone, and its version": {
			do: func(w *throwaway) { w.remove("thing.moved.v2.json") },
			registry: func(r []domain.Definition) []domain.Definition {
				return []domain.Definition{r[0], {Type: "thing.moved", Reads: 1, Version: 1}}
			},
			wrong: []string{"thing.moved.v2.json is gone; v0.2.0 has it", "thing.moved in schema version 2 isn't read any more"},
		},
		"a type is gone": {
			do:       func(w *throwaway) { w.remove("thing.made.v1.json") },
			registry: func(r []domain.Definition) []domain.Definition { return r[1:] },
			wrong:    []string{"thing.made.v1.json is gone", "thing.made in schema version 1 isn't read any more"},
		},
		"a type is renamed": {
			registry: func(r []domain.Definition) []domain.Definition {
				return []domain.Definition{{Type: "thing.built", Reads: 1, Version: 1}, r[1]}
			},
			wrong: []string{"thing.made in schema version 1 isn't read any more", "thing.built in schema version 1 is written, and v0.2.0 can't read it"},
		},
		"a version is learned": {
			do: func(w *throwaway) { w.write("thing.moved.v3.json", "{}\n") },
			registry: func(r []domain.Definition) []domain.Definition {
				return []domain.Definition{r[0], {Type: "thing.moved", Reads: 3, Version: 2}}
			},
		},
		"a type is learned": {
			do: func(w *throwaway) { w.write("thing.lost.v1.json", "{}\n") },
			registry: func(r []domain.Definition) []domain.Definition {
				return append(r, domain.Definition{Type: "thing.lost", Reads: 1, Version: 0})
			},
		},
		"a version is written at once": {
			registry: func(r []domain.Definition) []domain.Definition {
				return []domain.Definition{r[0], {Type: "thing.moved", Reads: 3, Version: 3}}
			},
			wrong: []string{"thing.moved in schema version 3 is written, and v0.2.0 can't read it"},
		},
		"a type is written at once, by leave": {
			registry: func(r []domain.Definition) []domain.Definition {
				return append(r, domain.Definition{Type: "thing.lost", Reads: 1, Version: 1})
			},
			early: map[written]string{{"thing.lost", 1}: "no installation upgrades without a pause yet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newThrowaway(t)
			w.must("tag", "v0.1.0") // not the last
			w.write("thing.made.v1.json", "{ }\n")
			w.commit()
			w.must("tag", "-a", "-m", "x", "v0.2.0")
			w.must("tag", "vendored")
			w.must("tag", "nightly-9")
			w.commit()
			registry := registered()
			if c.registry != nil {
				registry = c.registry(registry)
			}
			if c.do != nil {
				c.do(w)
			}
			w.wants("compared with v0.2.0: 3 golden files", registry, c.early, c.wrong...)
		})
	}
}

func TestNothingToCompareWith(t *testing.T) {
	t.Parallel()
	w := newThrowaway(t)
	w.must("tag", "vendored")
	w.wants("nothing compared: no tag v* is here", registered(), nil)
	(&throwaway{T: t, repository: repository{t.TempDir()}}).wants("nothing compared: git finds no commit here", registered(), nil)

	before := newThrowaway(t)
	for _, name := range []string{"thing.made.v1.json", "thing.moved.v1.json", "thing.moved.v2.json"} {
		before.remove(name)
	}
	before.commit()
	before.must("tag", "v0.0.1")
	before.wants("nothing compared: v0.0.1 has no golden files", registered(), nil)
}

// The nearest release behind HEAD counts, which on a maintenance branch isn't the
// highest; where none is behind it, the highest does.
func TestWhichRelease(t *testing.T) {
	t.Parallel()
	w := newThrowaway(t)
	w.must("tag", "v1.9.0")
	w.commit()
	w.must("tag", "v1.10.0-rc.1")
	w.must("tag", "v1.10.0")
	w.commit()
	w.must("tag", "v2.0.0")
	w.must("checkout", "-q", "-b", "maintained", "v1.9.0")
	w.commit()
	w.wants("compared with v1.9.0", registered(), nil)
	w.must("checkout", "-q", "--orphan", "anew")
	w.commit()
	w.wants("compared with v2.0.0: 3 golden files, 2 types (the highest tag, as none is behind HEAD)", registered(), nil)
	w.must("tag", "--delete", "v2.0.0")
	w.wants("compared with v1.10.0:", registered(), nil)
}

// A shallow clone may lack tags: it says so.
func TestShallowClone(t *testing.T) {
	t.Parallel()
	w := newThrowaway(t)
	w.must("tag", "v0.1.0")
	w.write("thing.made.v1.json", "{ }\n")
	w.commit()
	clone := &throwaway{T: t, repository: repository{t.TempDir()}}
	clone.must("clone", "-q", "--depth=1", "--no-tags", "file://"+w.dir, ".")
	clone.wants("nothing compared: this clone is shallow and has no tag v*", registered(), nil)
	clone.must("fetch", "-q", "--depth=1", "origin", "tag", "v0.1.0")
	clone.wants("compared with v0.1.0: 3 golden files, 2 types (the highest tag of a shallow clone", registered(), nil,
		"thing.made.v1.json isn't what it is in v0.1.0")
}

// The check is of this repository: its golden files have names that it can read.
func TestGoldenFilesCanBeParsed(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join("..", "..", golden))
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, f := range files {
		w, err := parse(f.Name())
		if err != nil {
			t.Error(err)
		}
		types = append(types, w.Type)
	}
	for _, d := range domain.Definitions() {
		if !slices.Contains(types, d.Type) {
			t.Errorf("%s has no golden file", d.Type)
		}
	}
}
