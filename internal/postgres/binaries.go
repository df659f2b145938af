package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The major versions Docket is written for.
const (
	oldestMajor = 15
	newestMajor = 18
)

// ErrNoBinaries means that no usable Postgres is installed. Its text is one line
// that says what to do.
var ErrNoBinaries = errors.New("no Postgres 15 to 18 found: install one (apt-get install postgresql) or set DATABASE_URL to a running server")

// Binaries is one installation of Postgres.
type Binaries struct {
	// Dir holds postgres and initdb themselves, not links or wrappers.
	Dir string
	// Major is the major version, 15 to 18.
	Major int
}

func (b Binaries) path(name string) string { return filepath.Join(b.Dir, name) }

// Find returns the installation to make a new cluster with: the one on PATH,
// else the newest in the places where distributions put it. The error is
// ErrNoBinaries when there is none.
func Find(ctx context.Context) (Binaries, error) {
	all := findAll(ctx)
	if len(all) == 0 {
		return Binaries{}, ErrNoBinaries
	}
	return all[0], nil
}

// usualPlaces are the directories, as glob patterns, where distributions and
// installers put the server's binaries (which are often not on PATH).
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/lib/postgresql*/bin",          // SUSE, Gentoo
	"/usr/libexec/postgresql*",          // Alpine
	"/usr/pgsql-*/bin",                  // PGDG on RHEL, Fedora
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/Library/PostgreSQL/*/bin",      // EDB on macOS
	"/opt/local/lib/postgresql*/bin", // MacPorts
	"/usr/local/pgsql/bin",           // built from source
	"/usr/local/lib/postgresql*/bin",
	"/usr/bin", // Fedora, Arch: server and client together
	"/usr/local/bin",
}

// findAll returns every usable installation, the preferred one first.
func findAll(ctx context.Context) []Binaries {
	var onPath, elsewhere []Binaries
	seen := map[string]bool{}
	look := func(dir string, into *[]Binaries) {
		b, err := inspect(ctx, dir)
		if err == nil && !seen[b.Dir] {
			seen[b.Dir] = true
			*into = append(*into, b)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			look(dir, &onPath)
		}
	}
	for _, pattern := range usualPlaces {
		dirs, _ := filepath.Glob(pattern) // fails only on a bad pattern
		for _, dir := range dirs {
			look(dir, &elsewhere)
		}
	}
	slices.SortStableFunc(elsewhere, func(a, b Binaries) int { return b.Major - a.Major })
	return append(onPath, elsewhere...)
}

// inspect resolves what stands in dir to the real installation. What is on PATH
// may be a link, or a wrapper script around some other program: a script is
// refused, since its pid would not be the server's.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	postgres, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return Binaries{}, err
	}
	if script, err := isScript(postgres); err != nil || script {
		return Binaries{}, fmt.Errorf("%s is not a program: %w", postgres, errors.Join(err, ErrNoBinaries))
	}
	b := Binaries{Dir: filepath.Dir(postgres)}
	if _, err := exec.LookPath(b.path("initdb")); err != nil {
		return Binaries{}, err
	}
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return Binaries{}, err
	}
	if b.Major, err = parseMajor(string(out)); err != nil {
		return Binaries{}, err
	}
	if b.Major < oldestMajor || b.Major > newestMajor {
		return Binaries{}, fmt.Errorf("%s is Postgres %d: %w", postgres, b.Major, ErrNoBinaries)
	}
	return b, nil
}

func isScript(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 2)
	if _, err := f.Read(head); err != nil {
		return false, err
	}
	return string(head) == "#!", nil
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// parseMajor reads "postgres (PostgreSQL) 17.5 (Debian …)", also "18beta1".
func parseMajor(version string) (int, error) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return 0, fmt.Errorf("not a Postgres version: %q", strings.TrimSpace(version))
	}
	return strconv.Atoi(m[1])
}

// chooseBinaries picks the installation for the cluster in dir: a cluster is
// only readable by its own major version, a cluster that is yet to be made by any.
func chooseBinaries(ctx context.Context, cfg Config, cluster string) (Binaries, error) {
	var all []Binaries
	if cfg.Binaries != "" {
		b, err := inspect(ctx, cfg.Binaries)
		if err != nil {
			return Binaries{}, fmt.Errorf("postgres: binaries in %s: %w", cfg.Binaries, err)
		}
		all = []Binaries{b}
	} else {
		all = findAll(ctx)
		if b, err := inspect(ctx, filepath.Join(cfg.DataDir, "postgres-dist", "bin")); err == nil {
			all = append(all, b)
		}
		if len(all) == 0 {
			b, err := download(ctx, filepath.Join(cfg.DataDir, "postgres-dist"), cfg.Logger)
			if err != nil {
				return Binaries{}, err
			}
			all = []Binaries{b}
		}
	}
	raw, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return all[0], nil
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres: %s/PG_VERSION: %w", cluster, err)
	}
	for _, b := range all {
		if b.Major == major {
			return b, nil
		}
	}
	return Binaries{}, fmt.Errorf("postgres: the data in %s belongs to Postgres %d and only %d is installed: install postgresql-%d, or choose another data directory",
		cluster, major, all[0].Major, major)
}
