package health

import (
	"math"
	"testing"
)

// Idle connections are bounded by the limit of open files, by the memory limit
// where there is one, and at last by a number.
func TestIdleBudget(t *testing.T) {
	for _, tc := range []struct {
		files  uint64
		memory int64
		want   int
	}{
		{1024, math.MaxInt64, 256},
		{2048, math.MaxInt64, 1_024},
		{20_000, math.MaxInt64, 10_000},
		{20_000, 250 << 20, 568},
		{1 << 20, math.MaxInt64, 10_000},
		{math.MaxUint64, 1 << 30, 2_330},
		{20_000, 0, 0},
	} {
		if got := idleBudget(tc.files, tc.memory); got != tc.want {
			t.Errorf("%d files, %d bytes: %d, want %d", tc.files, tc.memory, got, tc.want)
		}
	}
}
