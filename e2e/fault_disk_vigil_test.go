package e2e

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// A vigil reads a file_sd file again and again, as Prometheus does, and
// remembers what Prometheus would have lost by it.
type vigil struct {
	path   string
	must   []string // addresses that have to be in every version
	gone   []string // addresses that were properly removed
	edited bool     // somebody else damages the file: Prometheus keeps what it had
	reads  atomic.Int64
	cancel context.CancelFunc
	done   chan struct{}
	err    error // to be read after done
}

func keepVigil(t testing.TB, path string, must ...string) *vigil {
	t.Helper()
	v := &vigil{path: path, must: must}
	v.begin(t)
	return v
}

func (v *vigil) begin(t testing.TB) {
	var ctx context.Context
	ctx, v.cancel = context.WithCancel(t.Context())
	v.done = make(chan struct{})
	go func() {
		defer close(v.done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for v.err = v.read(); v.err == nil && ctx.Err() == nil; v.err = v.read() {
			<-tick.C
		}
	}()
}

func (v *vigil) read() error {
	targets, err := readTargets(v.path)
	if err != nil && v.edited {
		return nil
	}
	if err != nil {
		return err
	}
	for _, address := range v.must {
		if _, ok := targets[address]; !ok {
			return fmt.Errorf("%s has lost %s; it has %d targets", v.path, address, len(targets))
		}
	}
	for _, address := range v.gone {
		if _, ok := targets[address]; ok {
			return fmt.Errorf("%s has %s again, which was removed", v.path, address)
		}
	}
	v.reads.Add(1)
	return nil
}

// ends reports what was lost.
func (v *vigil) ends(t testing.TB) {
	t.Helper()
	eventually(t, soon, func() error { // a busy machine may not have let it read yet
		select {
		case <-v.done:
			return nil
		default:
		}
		if v.reads.Load() == 0 {
			return fmt.Errorf("nobody has read %s", v.path)
		}
		return nil
	})
	v.cancel()
	<-v.done
	if v.err != nil {
		t.Errorf("a reader saw: %v", v.err)
	}
}
