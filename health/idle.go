package health

import "runtime/debug"

const (
	maxIdle    = 10_000
	idleMemory = 15 << 10 // of one idle connection, with its goroutines and buffers
)

// idleBudget is how many connections may stay open between probes: at most a
// quarter of the files that this process may open, because probes under way,
// sources and outputs need theirs, and of the memory that it is to stay within
// (GOMEMLIMIT) at most a thirtieth.
func idleBudget(files uint64, memory int64) int {
	return int(min(files/4, uint64(memory)/30/idleMemory, maxIdle))
}

// memoryLimit is GOMEMLIMIT, or more than there is.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }
