package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of processor time in /proc: 1/100 s on every architecture of
// Linux that Go runs on. On other systems every figure here is 0.
const clockTick = 10 * time.Millisecond

// readProcess reads the parent of a process, its processor time, and that of the children
// it waited for. All are 0 for a process that is gone.
func readProcess(pid string) (parent int, own, waited time.Duration) {
	raw, _ := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	// The second field is a name in parentheses, which may contain anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, 0
	}
	n := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n } // they are numbers
	return n(1), time.Duration(n(11)+n(12)) * clockTick, time.Duration(n(13)+n(14)) * clockTick
}

// cpuOfTree is the processor time of a process and its children, living and dead; of pid
// 0 it is 0.
func cpuOfTree(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	_, own, waited := readProcess(strconv.Itoa(pid))
	sum := own + waited
	processes, _ := filepath.Glob("/proc/[0-9]*") // fails only on a bad pattern
	for _, p := range processes {
		if parent, own, _ := readProcess(filepath.Base(p)); parent == pid {
			sum += own
		}
	}
	return sum
}

// cpuOfMachine is the processor time of everything on the machine.
func cpuOfMachine() time.Duration {
	raw, _ := os.ReadFile("/proc/stat")
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	_, _ = fmt.Sscanf(string(raw), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	return time.Duration(user+nice+system+irq+softirq+steal) * clockTick
}

// cpuWatch measures the processor time of this process, a docket, a Postgres and the rest
// of the machine from its making. A pid may be 0: unknown.
type cpuWatch struct {
	docket, postgres int
	begin            time.Time
	at               [4]time.Duration
}

func watchCPU(docket, postgres int) *cpuWatch {
	w := &cpuWatch{docket: docket, postgres: postgres, begin: time.Now()}
	w.at = w.read()
	return w
}

func (w *cpuWatch) read() [4]time.Duration {
	_, own, _ := readProcess("self")
	return [4]time.Duration{own, cpuOfTree(w.docket), cpuOfTree(w.postgres), cpuOfMachine()}
}

// ofPostgres is the time that Postgres used so far.
func (w *cpuWatch) ofPostgres() time.Duration { return cpuOfTree(w.postgres) - w.at[2] }

// figures are in cores: 1 is one core, fully used. A report says little where
// others_cores is more than some hundredths.
func (w *cpuWatch) figures() []figure {
	now, passed := w.read(), time.Since(w.begin)
	of := func(i int) float64 { return float64(now[i]-w.at[i]) / float64(passed) }
	return []figure{{"client_cores", of(0), 2}, {"server_cores", of(1), 2}, {"postgres_cores", of(2), 2},
		{"others_cores", max(0, of(3)-of(0)-of(1)-of(2)), 2}}
}

// memoryOf is the memory of a process in MB (10⁶ bytes): now, and at most so far. Both
// are 0 where the system doesn't say.
func memoryOf(pid int) (now, most float64) {
	raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(raw)) {
		var name string
		var kib float64
		_, _ = fmt.Sscanf(line, "%s %g", &name, &kib) // no number: another line
		switch name {
		case "VmRSS:":
			now = kib * 1024 / 1e6
		case "VmHWM:":
			most = kib * 1024 / 1e6
		}
	}
	return now, most
}
