package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of processor time in /proc: 1/100 s on every architecture
// of Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// processStat is a line of /proc/<pid>/stat, of which only Linux has any.
type processStat struct {
	parent int
	own    time.Duration // processor time of the process
	ended  time.Duration // and of the children that it waited for
}

func readProcess(pid string) (s processStat, ok bool) {
	raw, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return s, false
	}
	// The second field is a name in parentheses, with whatever in it.
	_, rest, _ := strings.Cut(string(raw[max(0, bytes.LastIndexByte(raw, ')')):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return s, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(fields[i]) // they are numbers
		return n
	}
	return processStat{
		parent: number(1),
		own:    time.Duration(number(11)+number(12)) * clockTick,
		ended:  time.Duration(number(13)+number(14)) * clockTick,
	}, true
}

// cpuOfTree is the processor time of a process and of its children, living and dead.
func cpuOfTree(pid int) time.Duration {
	var sum time.Duration
	dirs, _ := filepath.Glob("/proc/[0-9]*") // fails only on a bad pattern
	for _, dir := range dirs {
		s, ok := readProcess(filepath.Base(dir))
		switch {
		case !ok:
		case filepath.Base(dir) == strconv.Itoa(pid):
			sum += s.own + s.ended
		case s.parent == pid:
			sum += s.own
		}
	}
	return sum
}

// cpuOfUs is the processor time of this process.
func cpuOfUs() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOfMachine is the processor time of everything that runs on the machine.
func cpuOfMachine() time.Duration {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	var sum time.Duration
	for i, field := range strings.Fields(line) {
		n, _ := strconv.Atoi(field)
		// cpu, user, nice, system, idle, iowait, irq, softirq, steal
		if i >= 1 && i <= 8 && i != 4 && i != 5 {
			sum += time.Duration(n) * clockTick
		}
	}
	return sum
}

// cores are processor times per time passed: 1 is one core, fully used. A figure is
// 0 where it can't be known: of a process that isn't ours, or on another system
// than Linux.
type cores struct {
	Client   float64 `json:"client"`
	Server   float64 `json:"server"`
	Postgres float64 `json:"postgres"`
	// Others are whatever else ran on the machine. Where they took much, the other
	// figures of the report aren't worth much.
	Others float64 `json:"others"`
}

func (c cores) String() string {
	return fmt.Sprintf("%.2f, %.2f, %.2f, %.2f", c.Client, c.Server, c.Postgres, c.Others)
}

func medianCores[R any](rounds []R, of func(R) cores) (c cores) {
	over := func(figure func(cores) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, figure(of(r)))
		}
		return median(all)
	}
	return cores{
		Client:   over(func(c cores) float64 { return c.Client }),
		Server:   over(func(c cores) float64 { return c.Server }),
		Postgres: over(func(c cores) float64 { return c.Postgres }),
		Others:   over(func(c cores) float64 { return c.Others }),
	}
}

// cpuWatch measures cores from its making.
type cpuWatch struct {
	server, postgres int // pids; 0: unknown
	begin            time.Time
	at               [4]time.Duration
}

func watchCPU(server, postgres int) *cpuWatch {
	w := &cpuWatch{server: server, postgres: postgres, begin: time.Now()}
	w.at = w.read()
	return w
}

func (w *cpuWatch) read() (now [4]time.Duration) {
	now[0], now[3] = cpuOfUs(), cpuOfMachine()
	if w.server != 0 {
		now[1] = cpuOfTree(w.server)
	}
	if w.postgres != 0 {
		now[2] = cpuOfTree(w.postgres)
	}
	return now
}

func (w *cpuWatch) cores() cores {
	now, passed := w.read(), time.Since(w.begin)
	of := func(i int) float64 { return float64(now[i]-w.at[i]) / float64(passed) }
	c := cores{Client: of(0), Server: of(1), Postgres: of(2)}
	c.Others = max(0, of(3)-c.Client-c.Server-c.Postgres)
	return c
}

// residentMemory is what a process has in memory, in bytes: now, and at most so
// far. Both are 0 where the system doesn't tell.
func residentMemory(pid int) (now, most int64) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(raw)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) != 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[0], 10, 64) // not a number: not one of these
		switch name {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			most = kib << 10
		}
	}
	return now, most
}

// forgetPeak makes the most that a process had in memory count from now. Where that
// isn't possible it goes on counting from its start.
func forgetPeak(pid int) {
	_ = os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "clear_refs"), []byte("5"), 0)
}
