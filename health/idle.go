package health

import "runtime/debug"

const (
	maxIdle     = 10_000
	othersFiles = 768      // of probes under way, Consul's standing queries, outputs
	idleMemory  = 15 << 10 // of one idle connection, with its goroutines and buffers
)

// idleBudget is how many connections may stay open between probes: at most half
// of the files that this process may open, less where that leaves too few for
// probes under way, sources and outputs; and of the memory that it is to stay
// within (GOMEMLIMIT) at most a thirtieth.
func idleBudget(files uint64, memory int64) int {
	files = min(files/2, files-min(files, othersFiles))
	return int(min(files, uint64(memory)/30/idleMemory, maxIdle))
}

// memoryLimit is GOMEMLIMIT, or more than there is.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }
