package postgres

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processExists tells whether a process runs. One that has ended and that its parent
// hasn't reaped keeps its pid, in a container without init for ever, but runs no more.
func processExists(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := readStat(pid)
	return err != nil || !stat.ended
}

// processStat is what Linux says of a process. Other systems have no /proc.
type processStat struct {
	// name is the program's, without its directory, and cut off after 15 bytes.
	name string
	// ended: a zombie.
	ended bool
	// startedAt is zero if the system's start isn't known.
	startedAt time.Time
}

func readStat(pid int) (processStat, error) {
	raw, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return processStat{}, err
	}
	// pid (name) state …: a name may have any byte in it, also a parenthesis.
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return processStat{}, errors.New("not as proc(5) says")
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) < 20 {
		return processStat{}, errors.New("not as proc(5) says")
	}
	s := processStat{name: string(raw[open+1 : end]), ended: fields[0] == "Z" || fields[0] == "X"}
	if ticks, err := strconv.ParseInt(fields[19], 10, 64); err == nil {
		if boot := bootTime(); !boot.IsZero() {
			s.startedAt = boot.Add(time.Duration(ticks) * time.Second / clockTicks)
		}
	}
	return s, nil
}

// clockTicks is the unit of /proc/PID/stat: USER_HZ, 100 on every Linux that Go has.
const clockTicks = 100

// bootTime is when the system started by today's clock; zero if it isn't known.
func bootTime() time.Time {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(raw)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// clockLeeway is how far the clock may have been set since a process noted its start.
const clockLeeway = time.Minute

// servesCluster tells whether a process can be the postmaster of a cluster that noted
// noted as its start. It answers false only on proof; without any, and where the system
// shows nothing, it answers true.
func servesCluster(pid int, noted time.Time, cluster string) bool {
	if !processExists(pid) {
		return false
	}
	stat, err := readStat(pid)
	if err != nil {
		return true
	}
	if !strings.Contains(stat.name, "postgres") {
		return false
	}
	// A postmaster keeps its command line; its children replace theirs.
	if commandLineHas(pid, cluster) {
		return true
	}
	// A postmaster works in its cluster. In a container root may lack the right to see it.
	if dir, err := os.Readlink(procPath(pid, "cwd")); err == nil {
		return dir == cluster
	}
	return noted.IsZero() || stat.startedAt.IsZero() || stat.startedAt.Before(noted.Add(clockLeeway))
}

func commandLineHas(pid int, word string) bool {
	raw, err := os.ReadFile(procPath(pid, "cmdline"))
	return err == nil && slices.Contains(strings.Split(string(raw), "\x00"), word)
}

// anyServes tells whether any process has the cluster on its command line. The error
// says that the system doesn't show its processes.
func anyServes(cluster string) (bool, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false, err
	}
	if _, err := readStat(os.Getpid()); err != nil {
		return false, err
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && commandLineHas(pid, cluster) {
			return true, nil
		}
	}
	return false, nil
}

// attached tells whether a process is attached to a segment of System V shared memory.
// A zombie isn't.
func attached(segment string) bool {
	raw, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(raw)) {
		// key, shmid, perms, size, cpid, lpid, nattch, …
		if f := strings.Fields(line); len(f) > 6 && f[1] == segment {
			return f[6] != "0"
		}
	}
	return false
}
