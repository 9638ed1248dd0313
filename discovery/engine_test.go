package discovery

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a Publisher in memory that can be broken.
type disk struct {
	mu     sync.Mutex
	files  map[target.Key]target.Target
	broken error
	writes int
	touch  int
	told   map[string]bool // by the latest Touch
}

func (d *disk) Load() (map[string][]target.Target, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return map[string][]target.Target{"f": slices.Collect(maps.Values(d.files))}, nil
}

func (d *disk) Publish(_ context.Context, want []*target.Target) (Outcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		behind := map[target.Key]bool{}
		for _, t := range want {
			behind[t.Key] = true
		}
		for k := range d.files {
			behind[k] = true
		}
		return Outcome{Behind: behind, NextAt: time.Now().Add(time.Second)}, d.broken
	}
	d.writes++
	d.files = map[target.Key]target.Target{}
	for _, t := range want {
		d.files[t.Key] = *t
	}
	return Outcome{}, nil
}

func (d *disk) Flush(context.Context) error { return nil }

func (d *disk) Lost() bool   { return false }
func (d *disk) Intact() bool { return true }

func (d *disk) Touch(answered map[string]bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.touch++
	d.told = answered
	return nil
}

func (d *disk) Files(target.Target) []string { return []string{"f"} }

func (d *disk) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *disk) addresses() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var a []string
	for k := range d.files {
		a = append(a, k.Address)
	}
	slices.Sort(a)
	return a
}

// fleet is what exists: a Source that lists it, and a Sweeper that sees it.
type fleet struct {
	mu     sync.Mutex
	listed []string
	err    error
	silent map[string]bool
	asked  int
}

func (f *fleet) change(do func(*fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f)
}

func (f *fleet) Discover(context.Context) target.Listing {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	p := target.Part{Name: "p", Err: f.err}
	if f.err == nil {
		for _, a := range f.listed {
			p.Raw = append(p.Raw, target.Raw{Labels: tgt("a", a, "__address__", a).Labels})
		}
	}
	return target.Listing{Source: "a", Parts: []target.Part{p}, At: time.Now()}
}

// Targets is a relabelling that changes nothing.
func (f *fleet) Targets(p target.Part) ([]*target.Target, []target.Rejection) {
	var ts []target.Target
	for _, r := range p.Raw {
		ts = append(ts, tgt("a", r.Labels.Get("__address__"), "environment", "prod"))
	}
	return part("p", ts...).targets, nil
}

// Recall is no different.
func (f *fleet) Recall(p target.Part) ([]*target.Target, []target.Rejection) { return f.Targets(p) }

func (f *fleet) Forget(string) {}

func (f *fleet) Once(_ context.Context, checks []health.Check) []health.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rs []health.Result
	for _, c := range checks {
		r := health.Result{Key: c.Key, Identity: c.Identity, At: time.Now()}
		if f.silent[c.Key.Address] {
			r.Class = health.ClassRefused
		}
		rs = append(rs, r)
	}
	return rs
}

// Ask has everybody answer.
func (f *fleet) Ask(_ context.Context, checks []health.Check) []health.Result {
	var answers []health.Result
	for _, c := range checks {
		answers = append(answers, health.Result{Key: c.Key, Identity: c.Identity, At: time.Now(), MCP: &health.Answer{
			Proved: true, Keep: time.Hour, Server: health.Server{Name: "fake", Version: "1", Protocol: "2026-07-28"},
		}})
	}
	return answers
}

// Run probes everything once a second.
func (f *fleet) Run(ctx context.Context, set <-chan []health.Check, out chan<- []health.Result) error {
	var checks []health.Check
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case checks = <-set:
		case <-tick.C:
		}
		select {
		case out <- f.Once(ctx, checks):
		case <-ctx.Done():
			return nil
		}
	}
}

// cabinet is a Folder in memory that can be broken.
type cabinet struct {
	mu     sync.Mutex
	files  map[string][]byte
	broken error
	aside  []string
}

func newCabinet() *cabinet { return &cabinet{files: map[string][]byte{}} }

func (c *cabinet) Read(name string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, ok := c.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func (c *cabinet) Write(name string, data []byte) error {
	return c.Stream(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (c *cabinet) Stream(name string, content func(io.Writer) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var data bytes.Buffer
	if err := errors.Join(c.broken, content(&data)); err != nil {
		return err
	}
	c.files[name] = data.Bytes()
	return nil
}

func (c *cabinet) SetAside(name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aside = append(c.aside, name)
	delete(c.files, name)
	return name + ".damaged", nil
}

func (c *cabinet) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
}

// rig is an engine around one fleet and one disk.
type rig struct {
	*fleet
	*disk
	cabinet *cabinet
	engine  *Engine
	setups  chan Setup
	stop    func() error
}

func newRig(listed ...string) *rig {
	return &rig{
		fleet:   &fleet{listed: listed, silent: map[string]bool{}},
		disk:    &disk{files: map[target.Key]target.Target{}},
		cabinet: newCabinet(),
	}
}

func (r *rig) make() {
	r.engine = New(Options{
		Sweeper: r.fleet, Folder: r.cabinet, Logger: promslog.NewNopLogger(),
		Metrics: NewMetrics(prometheus.NewRegistry()),
	})
}

func (r *rig) setup() Setup {
	return Setup{
		Sources: []SourceSetup{{
			Name: "a", Type: "test", Source: r.fleet, Relabeler: r.fleet, Fingerprint: "1",
			Policy:          SourcePolicy{Health: health.DefaultOptions(), Spec: &health.Spec{}, Guard: DefaultGuardOptions()},
			RefreshInterval: time.Minute, Timeout: time.Second,
		}},
		Version: DefaultVersionOptions(), Publisher: r.disk, Interval: time.Minute,
	}
}

// start runs the daemon until stop.
func (r *rig) start(t *testing.T) { r.startWith(t, r.setup()) }

func (r *rig) startWith(t *testing.T, s Setup) {
	r.make()
	ctx, cancel := context.WithCancel(t.Context())
	r.setups = make(chan Setup, 1)
	r.setups <- s
	done := make(chan error, 1)
	go func() { done <- r.engine.Run(ctx, r.setups) }()
	r.stop = func() error { cancel(); return <-done }
}

func (r *rig) once(t *testing.T, o OnceOptions) *Report {
	t.Helper()
	r.make()
	rep, err := r.engine.Once(t.Context(), r.setup(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func (r *rig) expect(t *testing.T, why string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.addresses(); !slices.Equal(got, want) {
		t.Fatalf("%s: published %v, want %v", why, got, want)
	}
}

// elapse lets virtual time pass.
func elapse(d time.Duration) { <-time.After(d) }

// The daemon, over hours: admission, a failing source, a removal, a restart.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two, three)
		r.start(t)
		r.expect(t, "all answer at once", one, two, three)
		if v := r.engine.View(); v == nil || !v.Decided || !v.Sources[0].Up {
			t.Fatalf("the view is %+v", v)
		}

		r.change(func(f *fleet) { f.err = errTest; f.silent[one] = true })
		elapse(5 * time.Hour)
		r.expect(t, "the source fails for hours", one, two, three)
		if r.engine.View().Sources[0].Up {
			t.Fatal("a failing source is up")
		}

		r.change(func(f *fleet) { f.err = nil; f.listed = []string{two, three} })
		elapse(2 * time.Minute)
		r.expect(t, "one is neither listed nor answering", two, three)

		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r.change(func(f *fleet) { f.err = errTest })
		r.start(t)
		elapse(time.Hour)
		r.expect(t, "a restart in the middle of an outage", two, three)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// An idle fleet writes nothing, and the files' modification times are
// refreshed once a minute at most (contract §7).
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.start(t)
		elapse(time.Minute)
		synctest.Wait()
		r.mu().Lock()
		writes, touched := r.writes, r.touch
		r.mu().Unlock()
		elapse(time.Hour)
		synctest.Wait()
		r.mu().Lock()
		defer r.mu().Unlock()
		if r.writes != writes {
			t.Errorf("%d publications in an idle hour", r.writes-writes)
		}
		if n := r.touch - touched; n < 50 || n > 61 {
			t.Errorf("touched %d times in an hour", n)
		}
		go r.stop() //nolint:errcheck // the bubble waits for it
	})
}

func (r *rig) mu() *sync.Mutex { return &r.disk.mu }

// Retries after failures follow 1, 2, 4 … 60 s, jittered (contract §4).
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		r.err = errTest
		r.start(t)
		elapse(time.Minute)
		r.fleet.mu.Lock()
		first := r.asked
		r.fleet.mu.Unlock()
		elapse(time.Hour)
		r.fleet.mu.Lock()
		later := r.asked - first
		r.fleet.mu.Unlock()
		if first < 5 || first > 10 || later < 50 || later > 130 {
			t.Errorf("asked %d times in the first minute, %d in the next hour", first, later)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// What counts as published changes only after a successful write (contract §7).
func TestWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.start(t)
		r.expect(t, "at first", one, two)
		r.set(errors.New("disk full"))
		r.change(func(f *fleet) { f.listed = []string{two, three}; f.silent[one] = true })
		elapse(10 * time.Minute)
		r.expect(t, "the disk is full", one, two)
		if rec := r.engine.state; len(rec.Journal) > 0 {
			t.Fatal("a removal that was not written is in the journal")
		}
		r.set(nil)
		elapse(10 * time.Second)
		r.expect(t, "the disk has room again", two, three)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Contract §8: while the state can't be written nothing is removed, and
// additions go on.
func TestStateCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.start(t)
		r.expect(t, "at first", one, two)
		r.cabinet.set(errors.New("read-only"))
		r.change(func(f *fleet) { f.listed = []string{two, three}; f.silent[one] = true })
		elapse(10 * time.Minute)
		r.expect(t, "an addition, no removal", one, two, three)
		r.cabinet.set(nil)
		elapse(time.Minute)
		r.expect(t, "the state can be written again", two, three)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A reload loses nothing, and a source that was taken out leaves only when the
// new one has answered.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.start(t)
		r.expect(t, "at first", one, two)
		for range 100 {
			r.setups <- r.setup()
		}
		r.expect(t, "a hundred reloads", one, two)

		renamed := r.setup()
		renamed.Sources[0].Name = "b"
		r.change(func(f *fleet) { f.err = errTest })
		r.setups <- renamed
		elapse(time.Hour)
		r.expect(t, "a source renamed during an outage", one, two)
		r.change(func(f *fleet) { f.err = nil; f.listed = []string{two} })
		elapse(2 * time.Minute)
		r.expect(t, "it answers again", two)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// --once: a new target is probed twice, one that is no longer listed up to
// fall times, a second apart (contract §5); its memory is the state.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two, three)
		r.silent[three] = true
		rep := r.once(t, OnceOptions{})
		r.expect(t, "three does not answer", one, two)
		if rep.Added != 2 || len(rep.Notable) != 1 || rep.Notable[0].Rule != RuleAwaitSuccess {
			t.Fatalf("the report says %+v", rep)
		}
		for range 5 {
			elapse(time.Minute)
			r.once(t, OnceOptions{})
		}
		r.expect(t, "after admit_timeout, counted over several runs", one, two, three)

		r.change(func(f *fleet) { f.listed = []string{one, two}; f.err = errTest })
		elapse(time.Minute)
		if rep := r.once(t, OnceOptions{}); len(rep.Failed) != 1 {
			t.Fatalf("failed parts: %+v", rep.Failed)
		}
		r.expect(t, "the source fails", one, two, three)

		r.change(func(f *fleet) { f.err = nil })
		elapse(time.Minute)
		if rep := r.once(t, OnceOptions{}); rep.Removed != 1 {
			t.Fatalf("the report says %+v", rep)
		}
		r.expect(t, "not listed, and silent", one, two)

		r.change(func(f *fleet) { f.listed = nil; f.silent[one], f.silent[two] = true, true })
		elapse(time.Minute)
		if rep := r.once(t, OnceOptions{}); rep.Held != 2 {
			t.Fatalf("held: %+v", rep)
		}
		r.expect(t, "never to zero", one, two)
		before := r.writes
		r.once(t, OnceOptions{DryRun: true, AcceptRemovals: true})
		if r.writes != before {
			t.Fatal("a dry run writes")
		}
		r.once(t, OnceOptions{AcceptRemovals: true})
		r.expect(t, "accepted")
	})
}

// Contract §8: a missing or damaged state is rebuilt from the output files;
// then the window counts as spent.
func TestStateLost(t *testing.T) {
	for name, damage := range map[string]func(*cabinet){
		"missing":   func(c *cabinet) { clear(c.files) },
		"truncated": func(c *cabinet) { c.files[stateFile] = c.files[stateFile][:20] },
		"newer":     func(c *cabinet) { c.files[stateFile] = []byte(`{"schema": 99}`) },
		"empty":     func(c *cabinet) { c.files[stateFile] = nil },
		"a damaged listing too": func(c *cabinet) {
			clear(c.files)
			c.files["listings/a.json"] = []byte("{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := hosts(10)
				r := newRig(all...)
				r.once(t, OnceOptions{})
				damage(r.cabinet)
				r.change(func(f *fleet) { f.listed = all[1:]; f.silent[all[0]] = true })
				if rep := r.once(t, OnceOptions{}); rep.Held != 1 {
					t.Fatalf("the window is spent: %+v", rep)
				}
				r.expect(t, "nothing leaves", all...)
			})
		})
	}
}

// Contract §8: across runs a gap between passes credits at most two intervals.
func TestGapBetweenRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.silent[one] = true
		r.once(t, OnceOptions{})
		elapse(24 * time.Hour)
		r.once(t, OnceOptions{})
		r.expect(t, "a day's gap is two minutes", two)
	})
}
