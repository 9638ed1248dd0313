package consul

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/target"
)

// gather is how long a change waits for others that happen with it.
const gather = time.Millisecond

var errNoAnswer = errors.New("no answer yet: Consul takes longer than the source's timeout")

// Watch follows every catalogue and every selected service.
func (s *Source) Watch(ctx context.Context, emit func(target.Listing)) error {
	ctx, cancel := context.WithCancel(ctx)
	h := &hub{source: s, emit: emit, parts: map[string]*part{}, news: make(chan news)}
	defer s.closeIdle()
	defer h.loops.Wait()
	defer cancel()
	h.run(ctx)
	return nil
}

// hub owns what the loops of a watch found out. Its fields belong to the
// goroutine that called Watch.
type hub struct {
	source *Source
	emit   func(target.Listing)
	parts  map[string]*part
	order  []*part // by name
	news   chan news
	loops  sync.WaitGroup
	begun  bool // the first listing was emitted
	fresh  bool // something has not been emitted yet
}

// part is one part of the listing.
type part struct {
	name    string
	dc      *datacenter
	service string // "" for a catalogue
	stop    context.CancelFunc
	run     int // counts the loops that fed it; only the latest one's news count

	answered bool // it has an outcome
	raws     []target.Raw
	rejected []target.Rejection
	err      error
	told     bool  // the latest listing knows raws
	toldErr  error // the failure that the latest listing told
	unlisted bool  // the catalogue lacks it
	stopped  bool  // nobody follows it any more
}

// news is what a loop found out.
type news struct {
	part *part
	run  int
	raws []target.Raw
	sel  selection // of a catalogue
	err  error

	rejected []target.Rejection
}

func (h *hub) run(ctx context.Context) {
	h.begin(ctx)
	deadline := time.After(h.source.timeout)
	beat := time.NewTicker(h.source.interval)
	defer beat.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-h.news:
			h.take(ctx, n)
		case <-deadline:
			h.giveUp()
		case <-settled:
			settled = nil
			h.tell()
			beat.Reset(h.source.interval)
		case <-beat.C:
			h.fresh = true
		}
		if h.fresh && settled == nil && (h.begun || !h.pending(nil)) {
			settled = time.After(h.gather())
		}
	}
}

// gather is how long to wait for more: where a single part is followed, there
// is nothing that may happen with its change.
func (h *hub) gather() time.Duration {
	if len(h.order) == 1 {
		return 0
	}
	return gather
}

// begin starts to follow what is known without asking.
func (h *hub) begin(ctx context.Context) {
	for _, dc := range h.source.dcs {
		if h.source.looksUp(dc) {
			h.follow(ctx, h.part(dc, ""))
			continue
		}
		for _, name := range sorted(h.source.opts.Services) {
			h.follow(ctx, h.part(dc, name))
		}
	}
}

// part returns the part of a service, or of the catalogue.
func (h *hub) part(dc *datacenter, service string) *part {
	name := dc.catalogPart()
	if service != "" {
		name = dc.servicePart(service)
	}
	p, ok := h.parts[name]
	if !ok {
		p = &part{name: name, dc: dc, service: service, stopped: true}
		h.parts[name] = p
		i, _ := slices.BinarySearchFunc(h.order, name, func(p *part, name string) int { return strings.Compare(p.name, name) })
		h.order = slices.Insert(h.order, i, p)
	}
	return p
}

// follow starts the loop that feeds p.
func (h *hub) follow(ctx context.Context, p *part) {
	ctx, p.stop = context.WithCancel(ctx)
	p.run++
	p.stopped = false
	run := p.run
	report := func(n news) {
		n.part, n.run = p, run
		select {
		case h.news <- n:
		case <-ctx.Done():
		}
	}
	ask, limit := h.source.askInstances(p.dc, p.service, report), rate.NewLimiter(instancesEvery, burst)
	if p.service == "" {
		ask, limit = h.source.askCatalog(p.dc, report), rate.NewLimiter(catalogEvery, burst)
	}
	h.loops.Go(func() { follow(ctx, limit, h.source.backOff(), ask) })
}

// take puts news into the part that they are about.
func (h *hub) take(ctx context.Context, n news) {
	p := n.part
	if n.run != p.run || p.stopped {
		return
	}
	if !p.answered || (p.err == nil) != (n.err == nil) {
		h.fresh = true
	}
	p.answered, p.err = true, n.err
	switch {
	case n.err != nil && p.service == "":
		h.followAll(ctx, p.dc, slices.Concat(n.sel.names, h.source.listed(p.dc)))
	case n.err != nil:
	case p.service == "":
		h.selectServices(ctx, p.dc, n.sel)
	default:
		p.raws, p.rejected, p.told, h.fresh = n.raws, n.rejected, false, true
	}
}

// selectServices follows what a catalogue selects, and lets go of what is
// confirmed to be gone.
func (h *hub) selectServices(ctx context.Context, dc *datacenter, sel selection) {
	for _, p := range h.order {
		p.unlisted = p.unlisted || p.dc == dc && p.service != ""
	}
	h.followAll(ctx, dc, sel.names)
	for _, name := range sel.gone {
		if p, ok := h.parts[dc.servicePart(name)]; ok {
			p.stop()
			p.stopped = true
			p.answered, p.raws, p.rejected, p.err, p.told = true, nil, nil, nil, false
			h.fresh = true
		}
		h.source.remember(dc, name, false)
	}
}

// followAll follows services: those that a catalogue selects, and while it fails
// those of which something is known all the same.
func (h *hub) followAll(ctx context.Context, dc *datacenter, names []string) {
	for _, name := range names {
		p := h.part(dc, name)
		p.unlisted = false
		if p.stopped {
			h.follow(ctx, p)
		}
	}
}

// pending reports whether a part has no outcome yet; of dc, or of any if nil.
func (h *hub) pending(dc *datacenter) bool {
	return slices.ContainsFunc(h.order, func(p *part) bool { return !p.answered && (dc == nil || p.dc == dc) })
}

// giveUp stops waiting for the first answers.
func (h *hub) giveUp() {
	if h.begun {
		return
	}
	for _, p := range h.order {
		if !p.answered {
			p.answered, p.err = true, errNoAnswer
		}
	}
	h.fresh = true
}

// tell emits a complete listing.
func (h *hub) tell() {
	l := target.Listing{Source: h.source.name, Parts: make([]target.Part, 0, len(h.order)), At: time.Now()}
	for _, p := range h.order {
		if p.answered {
			l.Parts = append(l.Parts, h.listed(p))
		}
	}
	h.begun, h.fresh = true, false
	h.emit(l)
	h.letGo()
}

// listed is how p stands in a listing, which is remembered as told.
func (h *hub) listed(p *part) target.Part {
	err := p.err
	if err == nil && p.service == "" && h.pending(p.dc) {
		// Until its services have answered, a catalogue that failed is not back:
		// without them, and without a failure, they would be gone.
		err = p.toldErr
	}
	unchanged := err == nil && p.told && p.toldErr == nil
	p.told, p.toldErr = err == nil, err
	switch {
	case err != nil:
		return target.Part{Name: p.name, Err: err}
	case unchanged:
		return target.Part{Name: p.name, Unchanged: true}
	}
	return target.Part{Name: p.name, Raw: p.raws, Rejected: p.rejected}
}

// letGo drops services that the catalogue lacks once their own question said
// so too, and that was told.
func (h *hub) letGo() {
	h.order = slices.DeleteFunc(h.order, func(p *part) bool {
		over := p.unlisted && p.told && len(p.raws) == 0
		if over {
			p.stop()
			delete(h.parts, p.name)
		}
		return over
	})
}
