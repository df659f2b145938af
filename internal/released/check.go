package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"docket/domain"
)

// golden is where the golden files are, from the root of the repository.
const golden = "domain/testdata/events"

// written is a schema version of a type of event.
type written struct {
	Type    string
	Version int
}

func (w written) String() string { return fmt.Sprintf("%s in schema version %d", w.Type, w.Version) }

// early are what may be written although the last release can't read it, each with
// the reason. Replicas of that release leave the tenants in whose logs it stands to
// newer ones, so whoever upgrades past it wants no mixed replicas: the release notes
// must say so. Empty it after each release.
var early = map[written]string{}

// report is what a check came to: one line on what was compared, and what is wrong.
type report struct {
	said  string
	wrong []string
}

// check compares the registry and the golden files in a repository's work tree
// with those of its last release. An error is one of git or of the disk.
func check(dir string, registry []domain.Definition, early map[written]string) (report, error) {
	repo := repository{dir}
	tag, why, err := repo.lastRelease()
	if err != nil {
		return report{}, err
	}
	if tag == "" {
		return report{said: "nothing compared: " + why}, nil
	}
	files, err := repo.files(tag, golden)
	if err != nil {
		return report{}, err
	}
	if len(files) == 0 {
		return report{said: fmt.Sprintf("nothing compared: %s has no golden files in %s", tag, golden)}, nil
	}
	r := report{said: fmt.Sprintf("compared with %s: %d golden files, %d types", tag, len(files), len(registry))}
	if why != "" {
		r.said += " (" + why + ")"
	}
	reads := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := parse(name)
		if err != nil {
			return report{}, fmt.Errorf("%s has %w", tag, err)
		}
		reads[w.Type] = max(reads[w.Type], w.Version)
		if r.wrong, err = kept(r.wrong, dir, tag, name, files[name]); err != nil {
			return report{}, err
		}
		i := slices.IndexFunc(registry, func(d domain.Definition) bool { return d.Type == w.Type })
		if i < 0 || registry[i].Reads < w.Version {
			r.wrong = append(r.wrong, fmt.Sprintf("%s isn't read any more; %s wrote or read it", w, tag))
		}
	}
	for _, d := range registry {
		w := written{d.Type, d.Version}
		if _, excused := early[w]; d.Version > reads[d.Type] && !excused {
			r.wrong = append(r.wrong, fmt.Sprintf("%s is written, and %s can't read it: let this release learn it and the next write it (docs/events.md)", w, tag))
		}
	}
	return r, nil
}

// kept adds to what is wrong unless a golden file is, byte for byte, what it was.
func kept(wrong []string, dir, tag, name string, was []byte) ([]string, error) {
	now, err := os.ReadFile(filepath.Join(dir, golden, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(wrong, fmt.Sprintf("%s/%s is gone; %s has it", golden, name, tag)), nil
	case err != nil:
		return nil, err
	case !bytes.Equal(now, was):
		return append(wrong, fmt.Sprintf("%s/%s isn't what it is in %s; a new shape is a new version", golden, name, tag)), nil
	}
	return wrong, nil
}

// form is the name of a golden file.
var form = regexp.MustCompile(`^([a-z_]+\.[a-z_]+)\.v([1-9][0-9]*)\.json$`)

// parse reads the name of a golden file.
func parse(name string) (written, error) {
	m := form.FindStringSubmatch(name)
	if m == nil {
		return written{}, fmt.Errorf("%s/%s, which is no golden file", golden, name)
	}
	version, err := strconv.Atoi(m[2])
	return written{m[1], version}, err
}
