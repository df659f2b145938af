package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machineFacts say where a figure was taken, and what else went on there.
type machineFacts struct {
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
	OS   string `json:"os"`
	// Load is the machine's load average over the minute before; empty where the
	// system doesn't tell.
	Load string `json:"load_before"`
}

func readMachineFacts() machineFacts {
	m := machineFacts{CPUs: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(raw), " ")
	}
	return m
}

func (m machineFacts) String() string {
	return fmt.Sprintf("%d CPUs, %s, %s, load average before %s", m.CPUs, m.OS, m.Go, m.Load)
}
