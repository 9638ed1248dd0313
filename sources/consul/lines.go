package consul

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// errNoLine says that a query could not stand, because Consul has connections
// for fewer. It is no failure: the service is asked now and then instead.
var errNoLine = errors.New("no connection to wait on")

// lines are the connections on which blocking queries stand. There are as many
// as it takes, until Consul refuses one: an agent takes 200 from one address
// unless limits.http_max_conns_per_client says otherwise, and whoever has
// more services than that is served better by some that are asked once per
// refresh interval than by some that always fail.
type lines struct {
	mu       sync.Mutex
	limit    int // 0: none met so far
	met      time.Time
	standing map[*line]bool
}

type line struct {
	end   context.CancelCauseFunc
	vital bool // a catalogue's, which waits whatever the limit is
}

// take returns a context for a query that stands until free is called, or
// errNoLine.
func (l *lines) take(ctx context.Context, vital bool) (_ context.Context, free func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit > 0 && len(l.standing) >= l.limit && !vital {
		return ctx, nil, errNoLine
	}
	ctx, end := context.WithCancelCause(ctx)
	taken := &line{end, vital}
	l.standing[taken] = true
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.standing, taken)
		end(nil)
	}, nil
}

// shrink sets a limit well below the number of lines at which Consul refused
// one, which leaves room for plain questions and for others on this machine,
// and ends the queries above it. Refusals come in bursts: one counts.
func (l *lines) shrink() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.met) < 10*time.Second {
		return
	}
	l.met = time.Now()
	l.limit = max(8, (len(l.standing)-parallel)*3/4)
	over := len(l.standing) - l.limit
	for s := range l.standing {
		if over > 0 && !s.vital {
			s.end(errNoLine)
			over--
		}
	}
}

// crowded reports whether Consul refused a connection because there are too
// many from here.
func crowded(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == 429 && strings.Contains(r.body, "too many concurrent connections")
}
