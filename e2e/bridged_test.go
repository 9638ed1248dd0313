package e2e

import (
	"testing"
	"time"
)

// bridged is an mcp-sd with one source of Prometheus' mechanisms, whose servers fail
// and come back.
type bridged struct {
	*workspace
	host      *host // nil: the machine itself
	daemon    *daemon
	source    string
	published func() error // what is to be in the output
}

// follows starts it.
func (b *bridged) follows(t *testing.T) {
	t.Helper()
	b.daemon = b.host.start(t, b.workspace)
}

func (b *bridged) shows(t *testing.T) {
	t.Helper()
	eventually(t, soon, b.published)
}

// keeps what it published, while the source fails and through a restart.
func (b *bridged) keeps(t *testing.T) {
	t.Helper()
	fails := func() error { return b.daemon.sourceUp(b.source, "prometheus", "0") }
	eventually(t, soon, fails)
	holds(t, 3*time.Second, b.published)
	b.daemon.kill()
	b.follows(t)
	eventually(t, soon, fails)
	holds(t, 3*time.Second, b.published)
}

func (b *bridged) recovers(t *testing.T) {
	t.Helper()
	eventually(t, retried, func() error { return b.daemon.sourceUp(b.source, "prometheus", "1") })
	eventually(t, retried, b.published)
}

// returns is recovers where nothing has changed meanwhile: all stays on the way.
func (b *bridged) returns(t *testing.T) {
	t.Helper()
	eventually(t, retried, func() error {
		if err := b.published(); err != nil {
			t.Fatalf("while it comes back: %v", err)
		}
		return b.daemon.sourceUp(b.source, "prometheus", "1")
	})
	b.shows(t)
}
