package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverArgs is the postmaster's command line. Settings stand here and not in
// postgresql.conf so that a new release of docket changes them for old clusters
// too; what an operator writes into the file applies where nothing is said here.
func serverArgs(cluster, socket string, cfg Config) []string {
	settings := [][2]string{
		// No TCP at all; see makeSocketDir.
		{"listen_addresses", ""},
		{"unix_socket_directories", `"` + strings.ReplaceAll(socket, `"`, `""`) + `"`},
		{"unix_socket_permissions", "0700"},
		{"port", socketPort},
		{"cluster_name", "docket"},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
		{"log_line_prefix", "%m [%p] %q%u@%d "},
		// Sized for a small machine that also runs docket.
		{"max_connections", "100"},
		{"shared_buffers", "128MB"},
		{"max_wal_size", "2GB"},
		// Postgres reuses filled files of the write-ahead log. During a rebuild or an import,
		// commits would wait for the creation of new ones.
		{"min_wal_size", "1GB"},
		{"wal_compression", "on"},
		{"random_page_cost", "1.1"},
		// Statements are short and by key: neither ever pays for itself, and
		// parallel workers need more of /dev/shm than containers have.
		{"jit", "off"},
		{"max_parallel_workers_per_gather", "0"},
	}
	if cfg.Unsafe {
		settings = append(settings, [][2]string{
			{"fsync", "off"},
			{"synchronous_commit", "off"},
			{"full_page_writes", "off"},
			{"max_connections", "300"}, // many test databases at once
			{"max_wal_size", "64MB"},   // the files may be in memory
			{"min_wal_size", "32MB"},
		}...)
	} else {
		settings = append(settings, [][2]string{
			{"fsync", "on"},
			{"synchronous_commit", "on"},
			{"full_page_writes", "on"},
		}...)
	}
	if cfg.MaxConnections > 0 {
		settings = append(settings, [2]string{"max_connections", strconv.Itoa(cfg.MaxConnections)})
	}
	args := []string{"-D", cluster}
	for _, kv := range settings {
		args = append(args, "-c", kv[0]+"="+kv[1])
	}
	return args
}

// maxLog is how long postgres.log may be, in bytes, before a start empties it.
const maxLog = 10 << 20

func logPath(dataDir string) string { return filepath.Join(dataDir, "postgres.log") }

// openLog opens the server's log to append to it. What a start writes begins at begin.
func openLog(dataDir string) (f *os.File, begin int64, err error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(logPath(dataDir)); err == nil {
		if begin = info.Size(); begin > maxLog {
			flags, begin = flags|os.O_TRUNC, 0
		}
	}
	if f, err = os.OpenFile(logPath(dataDir), flags, 0o600); err != nil {
		return nil, 0, fmt.Errorf("postgres: %w", err)
	}
	return f, begin, nil
}

// logTail is the end of what the server's log has since begin, for an error message.
func logTail(dataDir string, begin int64) string {
	raw, err := os.ReadFile(logPath(dataDir))
	if err != nil {
		return err.Error()
	}
	raw = raw[min(int64(len(raw)), begin):]
	return lastLines(string(raw[max(0, len(raw)-4096):]), 5)
}
