// Package consul lists the instances of services that a Consul catalogue
// knows, with Prometheus' own options and labels for it.
//
// Each datacenter has a part for its catalogue and one for each selected
// service, each followed by a blocking query of its own: a change is seen in
// milliseconds, and an idle fleet costs next to nothing. The caveat: what
// Consul answers may be stale, short or empty for reasons that have nothing to
// do with the services (no leader, missing rights, a wiped catalogue). Such an
// answer fails its part, or has to be confirmed by a question of its own; none
// ever shortens a listing (contract §4).
package consul

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/semaphore"

	"github.com/mcp-sd/mcp-sd/target"
)

// Source lists services of Consul. It is a target.Watcher.
type Source struct {
	name     string
	opts     Options
	pattern  *regexp.Regexp // of service names; nil takes all
	token    func() (string, error)
	servers  []server
	current  atomic.Int32 // the server that answered last
	seats    *semaphore.Weighted
	lines    lines
	bodies   sync.Pool // of *bytes.Buffer, for answers
	timeout  time.Duration
	interval time.Duration
	backOff  func() backoff.BackOff // of each loop
	seed     maphash.Seed
	log      *slog.Logger
	dcs      []*datacenter

	mu     sync.Mutex
	warned map[string]bool
}

// datacenter is one that is listed, or what one of its peers exports to it.
type datacenter struct {
	name       string                  // in the names of parts
	configured string                  // "" for that of the agent
	peer       string                  // whose services these are; "" for its own
	learned    *atomic.Pointer[string] // shared with its peers

	mu     sync.Mutex
	listed map[string]bool // services that had instances when last heard
	known  map[string]bool // others that had, as Know said, and that nothing was heard of since
}

// localName stands for the datacenter of the agent in the names of parts: they
// must not depend on what an agent says.
const localName = "local"

// agentName does so where one agent is listed.
const agentName = "agent"

// New builds the source. It asks nobody; its error is one that no waiting mends.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	opts.SetDirectory(env.Dir)
	token := tokenReader(&opts)
	if _, err := token(); err != nil {
		return nil, target.FieldError{Field: "token_file", Err: err}
	}
	s := &Source{
		name:     env.Source,
		opts:     opts,
		token:    token,
		seats:    semaphore.NewWeighted(parallel),
		lines:    lines{standing: map[*line]bool{}},
		timeout:  cmp.Or(env.Timeout, 30*time.Second),
		interval: cmp.Or(env.RefreshInterval, time.Minute),
		backOff:  func() backoff.BackOff { return target.NewBackOff() },
		seed:     maphash.MakeSeed(),
		log:      env.Logger,
		warned:   map[string]bool{},
	}
	if opts.ServiceRegex != "" {
		re, err := anchored(opts.ServiceRegex)
		if err != nil {
			return nil, target.FieldError{Field: "service_regex", Err: err}
		}
		s.pattern = re
	}
	for _, a := range opts.addresses() {
		srv, err := newServer(&opts, a)
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, srv)
	}
	s.dcs = opts.places()
	if opts.Agent {
		return &agent{s}, nil
	}
	return s, nil
}

// places are the datacenters and peers to list.
func (o *Options) places() (dcs []*datacenter) {
	if o.Agent {
		return []*datacenter{{name: agentName, learned: new(atomic.Pointer[string]), listed: map[string]bool{}, known: map[string]bool{}}}
	}
	for _, name := range o.datacenters() {
		dcs = append(dcs, &datacenter{name: first(name, localName), configured: name, learned: new(atomic.Pointer[string]), listed: map[string]bool{}, known: map[string]bool{}})
	}
	for _, peer := range sorted(o.Peers) {
		dcs = append(dcs, &datacenter{name: "peer:" + peer, peer: peer, learned: dcs[0].learned, listed: map[string]bool{}, known: map[string]bool{}})
	}
	return dcs
}

// catalogPart names the part of a catalogue. No service's part has that name:
// there a slash follows the datacenter.
func (d *datacenter) catalogPart() string { return d.name + ":catalog" }

func (d *datacenter) servicePart(service string) string { return d.name + "/" + service }

// query is the datacenter to ask for. Where several servers stand in for each
// other, the datacenter of the first answer is asked for from then on, so that
// a failover to an agent elsewhere does not list another fleet.
func (d *datacenter) query() string {
	if l := d.learned.Load(); l != nil {
		return *l
	}
	return d.configured
}

// reader decodes answers about a service.
func (s *Source) reader(w *watched) reader {
	return reader{seed: s.seed, describe: func(e *entry) (described, error) {
		raw, err := e.describe(w.dc.configured, w.name, s.opts.TagSeparator)
		if err != nil {
			return described{}, err
		}
		if len(s.servers) > 1 && w.dc.configured == "" && w.dc.peer == "" && e.Node.Datacenter != "" {
			w.dc.learned.CompareAndSwap(nil, &e.Node.Datacenter)
		}
		return s.opts.targets(e, withPeer(raw, w.dc.peer)), nil
	}}
}

func (s *Source) warnOnce(msg string, args ...any) {
	key := fmt.Sprint(msg, args)
	s.mu.Lock()
	known := s.warned[key]
	s.warned[key] = true
	s.mu.Unlock()
	if !known {
		s.log.Warn(msg, args...)
	}
}

// warnIfAnonymous warns of an answer that is empty, perhaps because nobody
// asked: Consul tells only those with a token that it left something out.
func (s *Source) warnIfAnonymous(a answer) {
	if !a.open && !s.opts.hasToken() {
		s.warnOnce("consul lists nothing and no token is set: if Consul has ACLs, set token or token_file")
	}
}
