package discovery

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// slowDisk takes an hour for a write once it hangs.
type slowDisk struct {
	*disk
	hangs atomic.Bool
}

func (d *slowDisk) Publish(ctx context.Context, want []*target.Target) (Outcome, error) {
	if d.hangs.Swap(false) {
		time.Sleep(time.Hour)
	}
	return d.disk.Publish(ctx, want)
}

// The sign of life comes from the loop that does the work: at least every 5 s
// while it can turn, none while it hangs.
func TestBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig("a:1")
		r.make()
		var beats atomic.Int64
		r.engine.Beat = func() { beats.Add(1) }
		setup := r.setup()
		slow := &slowDisk{disk: r.disk}
		setup.Publisher = slow
		ctx, cancel := context.WithCancel(t.Context())
		r.setups = make(chan Setup, 1)
		r.setups <- setup
		done := make(chan error, 1)
		go func() { done <- r.engine.Run(ctx, r.setups) }()

		for range 100 {
			before := beats.Load()
			time.Sleep(inspectEvery + time.Millisecond)
			if beats.Load() == before {
				t.Fatal("no sign of life for 5 s although nothing hangs")
			}
		}
		slow.hangs.Store(true)
		r.change(func(f *fleet) { f.listed = []string{"a:1", "a:2"} })
		time.Sleep(10 * time.Minute) // the write has begun
		before := beats.Load()
		time.Sleep(30 * time.Minute)
		if n := beats.Load() - before; n != 0 {
			t.Errorf("%d signs of life while the loop hung", n)
		}
		time.Sleep(30 * time.Minute)
		if beats.Load() == before {
			t.Error("no sign of life after it hung")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
