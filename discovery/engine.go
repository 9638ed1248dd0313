package discovery

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Engine drives the flow: it owns the State, asks the sources, has the targets
// probed, and publishes what Decide planned. Run is the daemon, Once a single
// pass; both take the same steps.
type Engine struct {
	Options
	state   *State
	setup   Setup
	policy  Policy
	view    atomic.Pointer[View]
	roll    roll
	say     *reporter
	memory  memory
	touched time.Time
	looked  time.Time // at the files
	blind   bool      // the state can't be written: nothing may leave
	single  bool      // there is one pass only

	// Only Run uses what follows.
	arrivals  chan Arrival
	results   chan []health.Result
	checks    chan []health.Check
	commands  chan func()
	due       bool
	nextAt    time.Time
	lastStep  time.Time
	stepTook  time.Duration
	lastCheck []health.Check
}

// New returns an engine that knows nothing yet.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Engine{
		Options:  o,
		state:    NewState(),
		say:      newReporter(o.Logger),
		memory:   memory{folder: o.Folder, logger: o.Logger},
		arrivals: make(chan Arrival),
		results:  make(chan []health.Result),
		checks:   make(chan []health.Check, 1),
		commands: make(chan func()),
	}
}

// Run is the daemon: it works until ctx ends, and then writes what it
// remembers. The first setup starts it, each further one is a reload.
func (e *Engine) Run(ctx context.Context, setups <-chan Setup) error {
	var first Setup
	select {
	case <-ctx.Done():
		return nil
	case first = <-setups:
	}
	if err := e.begin(first); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.Sweeper.Run(ctx, e.checks, e.results) })
	g.Go(func() error { return e.loop(ctx, setups) })
	err := g.Wait()
	e.release(e.setup)
	return err
}

// begin loads what was published and what was remembered, in this order: the
// files say what is published, the memory why.
func (e *Engine) begin(s Setup) error {
	e.setup, e.policy = s, s.policy()
	e.Metrics.start(s.Sources)
	e.state.Configure(s.Sources)
	files, err := s.Publisher.Load()
	if err != nil {
		return err
	}
	e.state.lost = s.Publisher.Lost()
	e.state.Inherit(files, s.Version.Label)
	e.memory.recall(e.state, s, e.Now())
	e.state.Merge(e.Now())
	e.tell()
	e.look(nil)
	return nil
}

// tell lets the sources know which of their parts have targets, so that one
// which is missing from an answer is missed.
func (e *Engine) tell() {
	for i, in := range e.setup.Sources {
		if k, ok := in.Source.(target.Knower); ok {
			k.Know(e.state.Sources[i].listing())
		}
	}
}

// loop is the one owner of the state.
func (e *Engine) loop(ctx context.Context, setups <-chan Setup) error {
	drivers := e.drive(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			drivers.stop()
			return e.end()
		case a := <-e.arrivals:
			e.list(a)
		case rs := <-e.results:
			e.fold(rs)
		case do := <-e.commands:
			do()
		case s := <-setups:
			drivers.stop() // after this, no answer to the old questions can come
			e.reload(s)
			drivers = e.drive(ctx)
		case <-timer.C:
		}
		e.inspect(e.Now())
		e.stepIfDue(ctx)
		e.touch(e.Now())
		_ = e.memory.save(e.state, e.Now(), false) // logged there, and tried again
		e.beat()
		timer.Reset(e.sleep())
	}
}

func (e *Engine) beat() {
	if e.Beat != nil {
		e.Beat()
	}
}

// end writes what was deferred and what is remembered.
func (e *Engine) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if err := e.setup.Publisher.Flush(ctx); err != nil {
		e.Logger.Error("could not write at the end; the old content stays", slog.Any("err", err))
	}
	_ = e.memory.save(e.state, e.Now(), true) // logged there; the end is the end
	return nil
}

// endTime bounds the last write: the whole end has 5 s (contract §2).
const endTime = 2 * time.Second

// drivers are the goroutines of one setup's sources.
type drivers struct {
	cancel context.CancelFunc
	group  *errgroup.Group
}

func (d drivers) stop() {
	d.cancel()
	_ = d.group.Wait()
}

func (e *Engine) drive(ctx context.Context) drivers {
	ctx, cancel := context.WithCancel(ctx)
	g := new(errgroup.Group)
	send := func(a Arrival) {
		select {
		case e.arrivals <- a:
		case <-ctx.Done():
		}
	}
	for _, s := range e.setup.Sources {
		g.Go(func() error {
			(&driver{SourceSetup: s, send: send}).run(ctx)
			return nil
		})
	}
	return drivers{cancel: cancel, group: g}
}

// reload takes over a new setup. Nothing is listed anew by that alone, so
// nothing leaves by it.
func (e *Engine) reload(s Setup) {
	old := e.setup
	e.setup, e.policy = s, s.policy()
	e.state.Configure(s.Sources)
	e.state.Merge(e.Now())
	e.tell()
	e.Metrics.forget(old.Sources, s.Sources)
	e.release(old)
	e.due = true
}

func (e *Engine) release(s Setup) {
	if s.Release != nil {
		s.Release()
	}
}

// list folds a listing into the state.
func (e *Engine) list(a Arrival) {
	now := e.Now()
	src := e.state.Source(a.Source)
	e.say.listing(src, a)
	e.Metrics.listing(a, src)
	waited := src != nil && !src.Answered
	if e.state.List(a, now) {
		e.state.Merge(now)
		e.due = true
	}
	if v := e.View(); v == nil || !v.Decided {
		e.due = true // that a source failed is an answer too
	}
	if waited && src.Answered {
		e.touched = time.Time{} // its files need not wait for the next minute
	}
	e.memory.listed(src, len(e.state.docket.agenda()) > 0)
	e.Metrics.pass(now)
	e.look(nil)
}

// fold takes probe results over. Only those that turn a verdict, or that a
// leaving target was waiting for, make a new decision necessary.
func (e *Engine) fold(rs []health.Result) {
	now := e.Now()
	for _, r := range rs {
		rec := e.state.Record(r.Key)
		if rec == nil {
			continue
		}
		h := e.health(rec)
		denied := e.state.denied(r.Key)
		changed := e.state.Fold(rec, r, h, now)
		if changed || rec.Listed == nil || denied != e.state.denied(r.Key) {
			e.due = true
		}
		e.memory.aged = true
		if changed || r.MCP == nil && r.Class != health.ClassUp { // one more success of many is not worth a write
			e.memory.changed()
		}
	}
}

// health returns the options by which a record's probes are judged.
func (e *Engine) health(r *Record) health.Options {
	if r.Listed != nil {
		return e.policy.Sources[r.By[0].Source.Name].Health
	}
	return e.policy.Sources[r.Published.Source].Health
}

// answered says of each source whether it said all that it knows, since the
// start and lately. A source that went silent has not answered, whatever it said
// last.
func (e *Engine) answered(now time.Time) map[string]bool {
	answered := make(map[string]bool, len(e.state.Sources))
	for i, src := range e.state.Sources {
		in := e.setup.Sources[i]
		lately := now.Sub(src.Succeeded) <= 2*in.RefreshInterval+in.Timeout
		answered[src.Name] = src.Answered && !src.Failed() && lately
	}
	return answered
}

// inspectEvery is how soon it is noticed that somebody else changed or deleted
// a file: within the time in which Prometheus applies what it read.
const inspectEvery = 5 * time.Second

// inspect puts back what somebody else did to the files.
func (e *Engine) inspect(now time.Time) {
	if now.Sub(e.looked) < inspectEvery || !e.state.Answered() {
		return
	}
	e.looked = now
	if !e.setup.Publisher.Intact() {
		e.due = true
	}
}

// touchEvery is how often the files' modification times are refreshed.
const touchEvery = time.Minute

// touch refreshes the files' modification times, the heartbeat that a dead
// man's switch watches (contract §7). Each file has its own sources: one that
// does not answer stops no other file's heart.
func (e *Engine) touch(now time.Time) {
	if now.Sub(e.touched) < touchEvery {
		return
	}
	e.touched = now
	e.say.touching(e.setup.Publisher.Touch(e.answered(now)))
}
