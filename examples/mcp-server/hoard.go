package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

const chunk = 4 << 20

// hoard holds as much memory as makes the process' resident memory the given
// share of machine_memory_bytes. It stays held until the process ends.
func hoard(ctx context.Context, ratio float64, log *slog.Logger) {
	if ratio <= 0 {
		return
	}
	held := 0
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		limit, known := metrics.MachineMemory()
		has, err := resident()
		if !known || err != nil {
			log.Error("Cannot hold memory: this machine does not say how much there is", "err", err)
			return
		}
		if float64(has)+chunk < ratio*float64(limit) && ctx.Err() == nil {
			if err := take(chunk); err != nil {
				log.Error("Cannot hold more memory", "held", held, "err", err)
				return
			}
			held += chunk
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// resident is the process' memory, as process_resident_memory_bytes has it.
func resident() (uint64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm: %q", b)
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}
