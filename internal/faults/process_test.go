//go:build linux

package faults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is a line of the process table.
type process struct {
	pid, parent int
	// dead: ended, and kept only until its parent asks how.
	dead    bool
	command string
}

// processes reads the process table.
func processes() []process {
	entries, _ := os.ReadDir("/proc")
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// readProcess is one of them; ok is false where there is none.
func readProcess(pid int) (p process, ok bool) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return p, false
	}
	// pid (name) state parent …, where the name may have any characters.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return p, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return p, false
	}
	command, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return process{pid: pid, parent: parent, dead: fields[0] == "Z" || fields[0] == "X", command: string(command)}, true
}

// childrenOf are the living children of a process.
func childrenOf(pid int) []process {
	var children []process
	for _, p := range processes() {
		if p.parent == pid && !p.dead {
			children = append(children, p)
		}
	}
	return children
}

// killFamily kills a process and all its children, so that none goes on without
// it: the parent is stopped first, and so has no more. It returns when all are
// gone, and how many they were. Grandchildren are not looked for: Postgres has none.
func killFamily(pid int) (int, error) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return 0, err
	}
	family := []int{pid}
	for _, p := range childrenOf(pid) {
		family = append(family, p.pid)
	}
	for _, member := range family {
		_ = syscall.Kill(member, syscall.SIGKILL) // one that has just ended is what we want
	}
	for _, member := range family {
		for alive(member) {
			// A process that was killed is gone in a moment.
		}
	}
	return len(family), nil
}

func alive(pid int) bool {
	p, ok := readProcess(pid)
	return ok && !p.dead
}
