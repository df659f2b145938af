package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LockedError says that another docket uses the data directory.
type LockedError struct {
	DataDir string
	// PID of the other docket; 0 when it did not say.
	PID int
	// Command is what it was started as, without arguments; empty when it did not say.
	Command string
}

func (e *LockedError) Error() string {
	switch {
	case e.PID == 0:
		return fmt.Sprintf("another docket is running on %s", e.DataDir)
	case e.Command == "":
		return fmt.Sprintf("another docket is running on %s (pid %d)", e.DataDir, e.PID)
	}
	return fmt.Sprintf("another docket is running on %s (%s, pid %d)", e.DataDir, e.Command, e.PID)
}

const lockFile = "docket.lock"

// lockDataDir makes this process the only one that runs a Postgres in dataDir.
// The kernel drops the lock when the process ends, however it ends; the file
// stays, and Postgres does not inherit it. The error is a *LockedError when
// another process has it.
func lockDataDir(dataDir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dataDir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("postgres: lock %s: %w", f.Name(), err)
		}
		raw, _ := io.ReadAll(io.LimitReader(f, 256))
		first, second, _ := strings.Cut(string(raw), "\n")
		pid, _ := strconv.Atoi(first)
		return nil, &LockedError{DataDir: dataDir, PID: pid, Command: strings.TrimSpace(second)}
	}
	if err := errors.Join(f.Truncate(0), writeAt0(f, fmt.Sprintf("%d\n%s\n", os.Getpid(), command()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return f, nil
}

// command is what this process was started as, up to the first option.
func command() string {
	words := []string{filepath.Base(os.Args[0])}
	for _, word := range os.Args[1:] {
		if strings.HasPrefix(word, "-") || len(words) == 3 {
			break
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func writeAt0(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// unlock gives the lock up, though a process that is forked this moment, and hasn't come
// to its exec, has the file open as well: the lock is the open file's, not ours.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
