package target

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Contract §4: a failed part is tried again after 1 to 60 s, jitter included.
func TestBackOffBounds(t *testing.T) {
	for range 100 {
		retry := NewBackOff()
		for _, limit := range [][2]time.Duration{{1, 2}, {2, 4}, {4, 8}, {8, 16}, {16, 32}, {30, 60}, {30, 60}, {30, 60}} {
			if d := retry.NextBackOff(); d < limit[0]*time.Second || d > limit[1]*time.Second+1 {
				t.Fatalf("paused %s, want %d to %d s", d, limit[0], limit[1])
			}
		}
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Pause(t.Context(), time.Minute)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("a minute took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		Pause(ctx, time.Minute)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it ended %s after it began, not with its context", took)
		}
	})
}
