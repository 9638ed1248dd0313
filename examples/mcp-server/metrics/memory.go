package metrics

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// machineMemory is the memory that the process may have: the least limit of
// its cgroups, or all of the machine's. It has the name that cAdvisor gave it,
// and stands beside process_resident_memory_bytes of the same instance, so
// that the two join without any label in common but those of the target.
//
// Only Linux tells. Elsewhere there is no such metric.
func machineMemory(root string) prometheus.Collector {
	return memoryCollector{root, prometheus.NewDesc("machine_memory_bytes",
		"Memory that this process may have: its cgroup's limit, or the machine's.", nil, nil)}
}

// memoryCollector reads at every scrape: a cgroup's limit may change.
type memoryCollector struct {
	root string
	desc *prometheus.Desc
}

// Describe is prometheus.Collector's.
func (c memoryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect is prometheus.Collector's.
func (c memoryCollector) Collect(ch chan<- prometheus.Metric) {
	if bytes, ok := memoryLimit(c.root); ok {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(bytes))
	}
}

// MachineMemory is the value of machine_memory_bytes; false where it cannot be
// known.
func MachineMemory() (bytes uint64, ok bool) { return memoryLimit("/") }

func memoryLimit(root string) (limit uint64, ok bool) {
	limit, ok = memTotal(filepath.Join(root, "proc/meminfo"))
	for _, file := range limitFiles(root) {
		// "max", a group that has none and one that cannot be seen say nothing.
		if n, err := number(file); err == nil && n > 0 && (!ok || n < limit) {
			limit, ok = n, true
		}
	}
	return limit, ok
}

// memTotal is the machine's memory.
func memTotal(path string) (bytes uint64, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(fields[1], 10, 54)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// limitFiles are the files with the limits of the process' cgroups and of
// those above them, which bind as well. In a container the path may name
// groups that cannot be seen there; the mount's own root is then the limit.
func limitFiles(root string) (files []string) {
	b, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case controllers == "":
			files = append(files, upwards(filepath.Join(root, "sys/fs/cgroup"), path, "memory.max")...)
		case strings.Contains(","+controllers+",", ",memory,"):
			files = append(files, upwards(filepath.Join(root, "sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")...)
		}
	}
	return files
}

// upwards returns the file of a group and of each one above it.
func upwards(mount, group, name string) (files []string) {
	for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
		files = append(files, filepath.Join(mount, group, name))
		if group == "/" {
			return files
		}
	}
}

func number(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
