package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/stage"
)

// machine says on what was measured, and when.
func machine() [][2]string {
	var kernel syscall.Utsname
	_ = syscall.Uname(&kernel)
	var release strings.Builder
	for _, c := range kernel.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	load, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(load), " ")
	return [][2]string{
		{"Measured on", time.Now().UTC().Format("2 January 2006")},
		{"Machine", fmt.Sprintf("%d cores of %s, %s of memory; temporary files on %s", runtime.NumCPU(), cpuModel(), memory(), stage.FileSystem(os.TempDir()))},
		{"System", fmt.Sprintf("Linux %s, %s; load at the end %s", release.String(), runtime.Version(), one)},
		{"Peers", "Consul 1.22.5, consul-template 0.41.1, Prometheus 3.15 (v0.315.0), all compiled with the same Go"},
	}
}

func cpuModel() string {
	return procLine("/proc/cpuinfo", "model name")
}

func memory() string {
	var kb float64
	_, _ = fmt.Sscan(procLine("/proc/meminfo", "MemTotal"), &kb)
	return figures.Bytes(kb * 1024)
}

func procLine(path, name string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
