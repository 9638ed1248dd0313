package consul

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/mcp-sd/mcp-sd/target"
)

// fake answers like an agent of Consul: with an index, blocking until it grows,
// and by streaming once a query blocks, as a real one does unless told not to.
type fake struct {
	mu      sync.Mutex
	index   uint64
	touched map[string]uint64 // index of each service's last change
	entries []*api.ServiceEntry
	changed chan struct{} // closed by the next change
	asked   []ask

	// What else may happen to a question; all guarded by mu.
	streaming   bool
	noLeader    bool
	lastContact time.Duration
	policy      string
	acl         func(token string, e *api.ServiceEntry) bool // may it be read?
	filters     map[string]func(*api.ServiceEntry) bool      // by expression
	catalog     func(map[string][]string) map[string][]string
	fault       func(w http.ResponseWriter, r *http.Request) bool // true: it answered
	edit        func(path string, body []byte) []byte
	peerings    map[string]*api.Peering // by name
	add         func(*api.ServiceEntry) // makes one more like the others
	wiped       uint64                  // indexes start anew below it
}

// ask is a question that arrived.
type ask struct {
	path, token, index, dc string
	tags                   []string
	merged                 bool
}

func newFake(entries ...*api.ServiceEntry) *fake {
	f := &fake{index: 10, touched: map[string]uint64{}, changed: make(chan struct{}), streaming: true, policy: "deny"}
	f.set(entries...)
	return f
}

// instance is an entry that holds something of everything.
func instance(service, id string, edit ...func(*api.ServiceEntry)) *api.ServiceEntry {
	e := &api.ServiceEntry{
		Node: &api.Node{
			Node: "node-" + id, Address: "10.0.0.1", Datacenter: "dc1",
			TaggedAddresses: map[string]string{"lan": "10.0.0.1", "wan-ipv4": "192.0.2.1"},
			Meta:            map[string]string{"rack": "r1", "consul-network-segment": ""},
		},
		Service: &api.AgentService{
			ID: id, Service: service, Port: 8080, Tags: []string{"mcp", "blue"},
			Meta:            map[string]string{"version": "v1", "team.name": "tools"},
			TaggedAddresses: map[string]api.ServiceAddress{"lan": {Address: "10.0.0.2", Port: 81}},
		},
		Checks: api.HealthChecks{{Node: "node-" + id, CheckID: "serfHealth", Status: "passing", Output: "Agent alive"}},
	}
	for _, do := range edit {
		do(e)
	}
	return e
}

func (f *fake) lock(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

// set replaces instances of the same service and id, or adds them.
func (f *fake) set(entries ...*api.ServiceEntry) {
	f.lock(func() {
		for _, e := range entries {
			f.index++
			f.touched[e.Service.Service] = f.index
			f.drop(e.Service.Service, e.Service.ID)
			f.entries = append(f.entries, e)
		}
	})
}

// remove takes instances out.
func (f *fake) remove(service string, ids ...string) {
	f.lock(func() {
		for _, id := range ids {
			f.index++
			f.touched[service] = f.index
			f.drop(service, id)
		}
	})
}

func (f *fake) drop(service, id string) {
	f.entries = slices.DeleteFunc(f.entries, func(e *api.ServiceEntry) bool {
		return e.Service.Service == service && e.Service.ID == id
	})
}

// wake ends every blocking query, with whatever f says by then.
func (f *fake) wake(do func()) {
	f.lock(func() {
		do()
		f.index++
		for s := range f.touched {
			f.touched[s] = f.index
		}
	})
}

func (f *fake) questions(path string) []ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.asked), func(a ask) bool { return !strings.HasPrefix(a.path, path) })
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.mu.Lock()
	f.asked = append(f.asked, ask{r.URL.Path, r.Header.Get("X-Consul-Token"), q.Get("index"), q.Get("dc"), q["tag"], q.Has("merge-central-config")})
	f.mu.Unlock()
	if f.broken(w, r) {
		return
	}
	if f.answerBeside(w, r) {
		return
	}
	streamed := f.block(r)
	if r.URL.Query().Has("index") && f.broken(w, r) { // while the query stood
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, r, streamed)
}

func (f *fake) broken(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	return fault != nil && fault(w, r)
}

// block waits until the index grows past the one asked from, or time is up.
func (f *fake) block(r *http.Request) (streamed bool) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	if after == 0 {
		return false
	}
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	over := time.After(wait)
	for {
		f.mu.Lock()
		now, changed, wiped := f.indexOf(r.URL.Path), f.changed, f.wiped > 0
		streamed = f.streaming && strings.HasPrefix(r.URL.Path, "/v1/health/") && !r.URL.Query().Has("merge-central-config")
		f.mu.Unlock()
		if now > after || wiped && now < after {
			return streamed
		}
		select {
		case <-changed:
		case <-over:
			return streamed
		case <-r.Context().Done():
			return streamed
		}
	}
}

func (f *fake) indexOf(path string) uint64 {
	if f.wiped > 0 {
		return f.wiped
	}
	if i, ok := f.touched[path[strings.LastIndex(path, "/")+1:]]; ok {
		return i
	}
	return f.index
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, streamed bool) {
	found, filtered := f.find(r)
	var out any = found
	if r.URL.Path == "/v1/catalog/services" {
		names := map[string][]string{}
		for _, e := range found {
			tags := append(names[e.Service.Service], e.Service.Tags...)
			names[e.Service.Service] = slices.Compact(slices.Sorted(slices.Values(tags)))
		}
		if f.catalog != nil {
			names = f.catalog(names)
		}
		out = names
	}
	h := w.Header()
	h.Set("X-Consul-Index", strconv.FormatUint(f.indexOf(r.URL.Path), 10))
	h.Set("X-Consul-LastContact", strconv.FormatInt(f.lastContact.Milliseconds(), 10))
	h.Set("X-Consul-KnownLeader", strconv.FormatBool(!f.noLeader))
	h.Set("X-Consul-Default-ACL-Policy", f.policy)
	switch {
	case streamed: // knows neither
		h.Set("X-Consul-KnownLeader", "false")
		h.Set("X-Consul-LastContact", "0")
		h.Set("X-Consul-Query-Backend", "streaming")
	case filtered && r.Header.Get("X-Consul-Token") != "":
		h.Set("X-Consul-Results-Filtered-By-ACLs", "true")
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	if f.edit != nil {
		body = f.edit(r.URL.Path, body)
	}
	_, _ = w.Write(body)
}

// find applies everything that selects.
func (f *fake) find(r *http.Request) (found []*api.ServiceEntry, filtered bool) {
	q := r.URL.Query()
	found = []*api.ServiceEntry{}
	for _, e := range f.entries {
		switch {
		case !about(r.URL.Path, e):
		case e.Node.PeerName != q.Get("peer"):
		case q.Get("dc") != "" && e.Node.Datacenter != q.Get("dc"):
		case !hasTags(e.Service.Tags, q["tag"]):
		case slices.ContainsFunc(q["node-meta"], func(want string) bool {
			k, v, _ := strings.Cut(want, ":")
			return e.Node.Meta[k] != v
		}):
		case q.Get("filter") != "" && !f.filters[q.Get("filter")](e):
		case f.acl != nil && !f.acl(r.Header.Get("X-Consul-Token"), e):
			filtered = true
		default:
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *api.ServiceEntry) int {
		return strings.Compare(a.Node.Node+"\x00"+a.Service.ID, b.Node.Node+"\x00"+b.Service.ID)
	})
	return found, filtered
}

// direct serves requests without a network, so that time can be virtual.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.handler == nil {
		return nil, fmt.Errorf("connection refused")
	}
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

const (
	testTimeout  = 30 * time.Second
	testInterval = 60 * time.Second
)

// build makes a source that asks the given handlers, one for each server.
func build(t testing.TB, edit func(*Options), handlers ...http.Handler) *Source {
	t.Helper()
	return builtFrom(t, func(o *Options) {
		for i := range handlers {
			if len(handlers) > 1 {
				o.Servers = append(o.Servers, fmt.Sprintf("server-%d:8500", i))
			}
		}
		if edit != nil {
			edit(o)
		}
	}, handlers...).(*Source)
}

// builtFrom makes a source of any kind.
func builtFrom(t testing.TB, edit func(*Options), handlers ...http.Handler) target.Source {
	t.Helper()
	o := Default()
	edit(o)
	for _, err := range o.Validate() {
		t.Fatal(err)
	}
	src, err := o.New(target.Env{
		Source: "test", Dir: t.TempDir(), RefreshInterval: testInterval, Timeout: testTimeout,
		Logger: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := src.(*Source)
	if !ok {
		s = src.(*agent).source
	}
	for i, h := range handlers {
		s.servers[i].http.Transport = exchanger{next: direct{h}}
	}
	return src
}

// watching starts a watch that ends with the test. Each call of next waits for
// one listing.
func watching(t *testing.T, s *Source) (next func() target.Listing) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	listings := make(chan target.Listing)
	done := make(chan error, 1)
	go func() {
		done <- s.Watch(ctx, func(l target.Listing) {
			select {
			case listings <- l:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch returned %v, want nil", err)
		}
	})
	return func() target.Listing {
		t.Helper()
		select {
		case l := <-listings:
			return l
		case <-time.After(time.Hour):
			t.Fatal("no listing within an hour")
			panic("unreachable")
		}
	}
}

// say puts a listing into few words: "local/web: a b; local:catalog:".
func say(l target.Listing) string {
	var parts []string
	for _, p := range l.Parts {
		text := p.Name + ":"
		switch {
		case p.Err != nil:
			text += " failed"
		case p.Unchanged:
			text += " unchanged"
		}
		for _, r := range p.Raw {
			text += " " + r.Labels.Get("__meta_consul_service_id")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func errorsOf(l target.Listing) string {
	var texts []string
	for _, p := range l.Parts {
		if p.Err != nil {
			texts = append(texts, p.Err.Error())
		}
	}
	return strings.Join(texts, "\n")
}

// only selects services by name.
func only(names ...string) func(*Options) { return func(o *Options) { o.Services = names } }

var discard = slog.New(slog.DiscardHandler)
