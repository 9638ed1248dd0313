package e2e

import (
	"errors"
	"testing"
	"time"
)

const (
	// soon is for what mcp-sd does by itself. Nothing takes nearly as long on
	// an idle machine; a busy one must not fail the tests.
	soon = 30 * time.Second
	// inStep is for what Prometheus shows: it applies changes on a 5 s tick.
	inStep = 45 * time.Second
	// retried is for what comes back after errors, with backoff.
	retried = 75 * time.Second
)

// errEnded is in the errors of checks that no waiting can mend.
var errEnded = errors.New("the process has ended")

// eventually polls until check returns nil, and fails with its last error when
// that does not happen in time.
func eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if errors.Is(err, errEnded) {
			t.Fatal(err)
		}
		select {
		case <-deadline.C:
			t.Fatalf("still not so after %s: %v", within, err)
		case <-tick.C:
		}
	}
}

// holds fails as soon as check returns an error within the given time.
func holds(t testing.TB, during time.Duration, check func() error) {
	t.Helper()
	deadline := time.NewTimer(during)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			t.Fatalf("did not hold for %s: %v", during, err)
		}
		select {
		case <-deadline.C:
			return
		case <-tick.C:
		}
	}
}
