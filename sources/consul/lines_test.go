package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
)

// crowd refuses as Consul does when an address has too many connections.
type crowd struct {
	http.Handler
	limit, open, refused atomic.Int64
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer c.open.Add(-1)
	if c.open.Add(1) > c.limit.Load() {
		c.refused.Add(1)
		http.Error(w, "Your IP is issuing too many concurrent connections, please rate limit your calls", http.StatusTooManyRequests)
		return
	}
	c.Handler.ServeHTTP(w, r)
}

// With more services than Consul takes connections, all are listed, no part
// fails for it, and a change of one that can't be watched is seen within the
// refresh interval. One warning says so.
func TestMoreServicesThanConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const services = 500
		var entries []*api.ServiceEntry
		for i := range services {
			entries = append(entries, instance(fmt.Sprintf("svc-%03d", i), fmt.Sprintf("i%03d", i)))
		}
		f := newFake(entries...)
		c := &crowd{Handler: f}
		c.limit.Store(200)
		s := build(t, nil, c)
		log := logOf(s)
		next := watching(t, s)
		l := next()
		for l.Failed() {
			t.Fatalf("first listing: %d parts: %s", len(l.Parts), errorsOf(l))
		}
		if len(l.Parts) != services+1 {
			t.Fatalf("%d parts, want %d services and the catalogue", len(l.Parts), services)
		}
		for range 5 { // minutes
			if l := next(); l.Failed() {
				t.Fatal(errorsOf(l))
			}
		}
		settled := c.refused.Load()
		for i := range 20 {
			id := fmt.Sprintf("i%03d", i*25)
			f.set(instance(fmt.Sprintf("svc-%03d", i*25), id, func(e *api.ServiceEntry) { e.Service.Port = 9 }))
			changed := time.Now()
			for seen := false; !seen; {
				l := next()
				if l.Failed() {
					t.Fatal(errorsOf(l))
				}
				for _, p := range l.Parts {
					seen = seen || len(p.Raw) == 1 && strings.HasSuffix(p.Raw[0].Identity, id) && p.Raw[0].Labels.Get("__meta_consul_service_port") == "9"
				}
			}
			if took := time.Since(changed); took > testInterval+5*time.Second {
				t.Errorf("a change of %s was seen after %s", id, took)
			}
		}
		if more := c.refused.Load() - settled; more > 0 {
			t.Errorf("%d more connections were refused after it settled", more)
		}
		if n := strings.Count(log.String(), "refuses connections"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, log)
		}
	})
}

// A service that can never be watched is asked instead, of the same server,
// and its part does not fail.
func TestAskedInsteadOfWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, other := newFake(instance("web", "a")), newFake()
		f.fault = func(w http.ResponseWriter, r *http.Request) bool {
			refuse := r.URL.Query().Has("index")
			if refuse {
				http.Error(w, "too many concurrent connections", http.StatusTooManyRequests)
			}
			return refuse
		}
		next := watching(t, build(t, nil, f, other))
		expect(t, next(), "local/web: a; local:catalog:")
		for i := range 5 {
			id := fmt.Sprint("b", i)
			f.set(instance("web", id))
			for began := time.Now(); ; {
				l := next()
				if l.Failed() {
					t.Fatal(errorsOf(l))
				}
				if strings.Contains(say(l), id) {
					break
				}
				if time.Since(began) > 2*testInterval {
					t.Fatalf("%s was not seen in two intervals", id)
				}
			}
		}
		if n := len(other.questions("/")); n > 0 {
			t.Errorf("the other server was asked %d times", n)
		}
		if n := len(f.questions("/")); n > 60 {
			t.Errorf("%d questions in five minutes or so", n)
		}
	})
}

// Of a burst of refusals one counts, what is over the limit ends with the
// reason, and a catalogue always gets its line.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lines{standing: map[*line]bool{}}
		var contexts []context.Context
		var frees []func()
		take := func(vital bool) bool {
			ctx, free, err := l.take(t.Context(), vital)
			if err == nil {
				contexts, frees = append(contexts, ctx), append(frees, free)
				t.Cleanup(free)
			}
			return err == nil
		}
		for i := range 200 {
			if !take(i < 30) {
				t.Fatal("refused without a limit")
			}
		}
		ended := func() (n int) {
			for i, ctx := range contexts {
				if errors.Is(context.Cause(ctx), errNoLine) {
					n++
					if i < 30 {
						t.Error("a catalogue's query was ended")
					}
				}
			}
			return n
		}
		l.shrink()
		l.shrink()
		if l.limit != (200-parallel)*3/4 || ended() != 200-l.limit {
			t.Errorf("limit %d, %d queries ended", l.limit, ended())
		}
		if take(false) || !take(true) {
			t.Error("above the limit only a catalogue gets a line")
		}
		before := l.limit
		for i, ctx := range contexts {
			if ctx.Err() != nil {
				frees[i]()
			}
		}
		<-time.After(11 * time.Second)
		if l.shrink(); l.limit >= before {
			t.Error("a refusal later on counts again")
		}
	})
}
