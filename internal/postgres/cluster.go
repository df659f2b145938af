package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// clusterDir is the cluster's directory inside the data directory.
const clusterDir = "postgres"

// initCluster makes a new cluster where there is none. It works in a directory
// beside the final one and renames at the end, so a cluster is either whole or
// absent, whenever the process was killed.
//
// initdb flushes to disk (0.2 s), except for tests: WAL protects what the server
// writes, not what initdb wrote before it.
func initCluster(ctx context.Context, cluster string, b Binaries, id identity, unsafe bool) error {
	_, err := os.Stat(filepath.Join(cluster, "PG_VERSION"))
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("postgres: %w", err)
	}
	fresh := cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := id.give(fresh); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	var output string
	for _, locale := range locales(b.Major) {
		args := []string{"--pgdata", fresh, "--username", string(Superuser), "--auth", "trust",
			"--encoding", "UTF8", "--data-checksums", "--no-instructions"}
		if unsafe {
			args = append(args, "--no-sync")
		}
		var out bytes.Buffer
		cmd := id.command(fresh, b.path("initdb"), append(args, locale...)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err = runWithContext(ctx, cmd); err == nil {
			return publish(fresh, cluster)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		output = lastLines(out.String(), 3)
	}
	return fmt.Errorf("postgres: initdb: %w: %s", err, output)
}

// locales are initdb's locale arguments in order of preference. Texts sort by
// code point everywhere (collation C); what is a letter and its upper case
// follows Unicode where the system can (ctype C.UTF-8). From 17 on Postgres
// brings both itself.
func locales(major int) [][]string {
	if major >= 17 {
		return [][]string{{"--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"}}
	}
	return [][]string{
		{"--locale=C", "--lc-ctype=C.UTF-8"},
		{"--locale=C"}, // systems without that locale
	}
}

func publish(fresh, cluster string) error {
	if err := os.Rename(fresh, cluster); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	parent, err := os.Open(filepath.Dir(cluster))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer parent.Close()
	if err := parent.Sync(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
