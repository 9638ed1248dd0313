package static

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mcp-sd/mcp-sd/target"
)

// fake is a notifier that says what a test tells it to.
type fake struct {
	ev   chan fsnotify.Event
	errs chan error
	dirs map[string]bool
	hook func(dir string) // called when a directory is watched for the first time
}

func newFake() *fake {
	return &fake{ev: make(chan fsnotify.Event), errs: make(chan error), dirs: map[string]bool{}}
}

func (f *fake) events() <-chan fsnotify.Event { return f.ev }
func (f *fake) errors() <-chan error          { return f.errs }
func (f *fake) remove(dir string)             { delete(f.dirs, dir) }
func (f *fake) close()                        {}

func (f *fake) add(dir string) (bool, error) {
	_, err := os.Stat(dir)
	old := f.dirs[dir]
	f.dirs[dir] = err == nil
	if err == nil && !old && f.hook != nil {
		f.hook(dir)
	}
	return err == nil && !old, err
}

func (f *fake) tell(path string, op fsnotify.Op) { f.ev <- fsnotify.Event{Name: path, Op: op} }

// seen is what a watch emitted, and when, since it began.
type seen struct {
	what string
	at   time.Duration
}

// bubble watches with virtual time, until the test ends. The returned function
// waits for the next listing.
func bubble(t *testing.T, s *source, dir string) (*fake, func() seen) {
	n := newFake()
	return n, bubbleWith(t, s, dir, func() (notifier, error) { return n, nil })
}

func bubbleWith(t *testing.T, s *source, dir string, notify func() (notifier, error)) func() seen {
	s.notify = notify
	s.env.RefreshInterval = time.Minute
	out := make(chan seen, 100)
	began := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Watch(ctx, func(l target.Listing) { out <- seen{show(dir, l.Parts), time.Since(began)} })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch returned %v", err)
		}
	})
	return func() seen { return <-out }
}

func expectSeen(t *testing.T, got seen, what string, from, to time.Duration) {
	t.Helper()
	if got.what != what || got.at < from || got.at > to {
		t.Errorf("got %s after %s, want %s after %s to %s", got.what, got.at, what, from, to)
	}
}

// TestHeartbeat: the first listing at once, then one per refresh interval.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", oneYAML)
		s := newSource(t, Options{Targets: []Group{{Targets: []string{"a:1"}}}, Files: []string{"*.yml"}}, dir)
		_, next := bubble(t, s, dir)
		expectSeen(t, next(), "inline=a:1 a.yml=10.0.0.1,10.0.0.2", 0, time.Second)
		expectSeen(t, next(), "inline=unchanged a.yml=unchanged", time.Minute, time.Minute+time.Second)
		// What no event told of is found as well.
		put(t, dir+"/a.yml", "[]")
		expectSeen(t, next(), "inline=unchanged a.yml=", 2*time.Minute, 2*time.Minute+time.Second)
		expectSeen(t, next(), "inline=unchanged a.yml=unchanged", 3*time.Minute, 3*time.Minute+time.Second)
	})
}

// TestBurst: events are gathered until they pause, and not for ever.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", oneYAML)
		n, next := bubble(t, newSource(t, Options{Files: []string{"*.yml"}}, dir), dir)
		next()
		began := time.Now()
		put(t, dir+"/a.yml", "[]")
		for range 3 {
			n.tell(dir+"/a.yml", fsnotify.Write)
			<-time.After(quiet / 2)
		}
		if next(); time.Since(began) < 2*quiet || time.Since(began) > 5*quiet {
			t.Errorf("three events in a row were answered after %s", time.Since(began))
		}
		began = time.Now()
		put(t, dir+"/a.yml", oneYAML)
		for time.Since(began) < burst+quiet {
			n.tell(dir+"/x.yml", fsnotify.Create)
			<-time.After(quiet / 2)
		}
		expectSeen(t, next(), "a.yml=10.0.0.1,10.0.0.2", 0, time.Minute)
	})
}

// TestNoNews: events without a consequence are not passed on.
func TestNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		sub := mkdir(t, dir+"/sub")
		put(t, sub+"/a.yml", oneYAML)
		n, next := bubble(t, newSource(t, Options{Files: []string{"sub/*.yml"}}, dir), dir)
		next()
		n.tell("", 0)
		n.tell(sub+"/other", fsnotify.Create)
		n.tell(sub+"/a.yml", fsnotify.Chmod)
		n.tell(dir+"/elsewhere", fsnotify.Create)
		expectSeen(t, next(), "sub/a.yml=unchanged", time.Minute, time.Minute+time.Second)
	})
}

// TestRetry: half a file is a failure for a moment, without an event.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", "- targets: [10.0")
		put(t, dir+"/b.yml", oneYAML)
		_, next := bubble(t, newSource(t, Options{Files: []string{"a.yml", "b.yml"}}, dir), dir)
		expectSeen(t, next(), "a.yml=failed b.yml=10.0.0.1,10.0.0.2", 0, time.Second)
		put(t, dir+"/a.yml", "[]")
		expectSeen(t, next(), "a.yml= b.yml=unchanged", 0, time.Second)
		// A failure that lasts is said once, and then with the heartbeat.
		put(t, dir+"/a.yml", "")
		expectSeen(t, next(), "a.yml=failed b.yml=unchanged", time.Minute, time.Minute+time.Second)
		expectSeen(t, next(), "a.yml=failed b.yml=unchanged", 2*time.Minute, 2*time.Minute+time.Second)
		put(t, dir+"/a.yml", "[]")
		got := next() // listed in full, although it is what the file said before
		if got.what != "a.yml= b.yml=unchanged" {
			t.Errorf("got %s", got.what)
		}
	})
}

// TestBackOff: the looks at a part that goes on failing become rare, but are
// never further apart than contract §4 allows, whatever the jitter is.
func TestBackOff(t *testing.T) {
	for range 100 {
		pause := newBackOff()
		if d := pause.NextBackOff(); d < 50*time.Millisecond || d > 151*time.Millisecond {
			t.Fatalf("the first look again is after %s", d)
		}
		for range 10 {
			pause.NextBackOff()
		}
		if d := pause.NextBackOff(); d < 20*time.Second || d > time.Minute+1 {
			t.Fatalf("in the end it looks again after %s, want 20 to 60 s", d)
		}
	}
}

// TestOverflow: when the kernel lost events, everything is looked at.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", oneYAML)
		n, next := bubble(t, newSource(t, Options{Files: []string{"*.yml"}}, dir), dir)
		next()
		put(t, dir+"/a.yml", "[]")
		n.errs <- fsnotify.ErrEventOverflow
		expectSeen(t, next(), "a.yml=", 0, time.Second)
	})
}

// TestWithoutEvents: where the kernel has no watches left, files are still
// looked at once per refresh interval.
func TestWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/a.yml", oneYAML)
		s := newSource(t, Options{Files: []string{"*.yml"}}, dir)
		next := bubbleWith(t, s, dir, func() (notifier, error) { return nil, errors.New("too many open files") })
		next()
		put(t, dir+"/a.yml", "[]")
		expectSeen(t, next(), "a.yml=", time.Minute, time.Minute+time.Second)
	})
}

// TestChangeBeforeTheWatch: what happens to a linked file before its directory is
// watched is seen, although no event tells of it.
func TestChangeBeforeTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		far := mkdir(t, dir+"/far")
		put(t, far+"/x.yml", oneYAML)
		link(t, "far/x.yml", dir+"/a.yml")
		n := newFake()
		n.hook = func(watched string) {
			if watched == far {
				put(t, far+"/x.yml", "[]")
			}
		}
		next := bubbleWith(t, newSource(t, Options{Files: []string{"a.yml"}}, dir), dir, func() (notifier, error) { return n, nil })
		expectSeen(t, next(), "a.yml=10.0.0.1,10.0.0.2", 0, time.Second)
		expectSeen(t, next(), "a.yml=", 0, time.Second)
	})
}

// TestTurnedLink: a directory that takes another's place is news, once.
func TestTurnedLink(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, dir+"/1")
	mkdir(t, dir+"/2")
	link(t, "1", dir+"/current")
	n, err := newNotifier()
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	for i, want := range []bool{true, false, true, false} {
		if i == 2 {
			link(t, "2", dir+"/new")
			rename(t, dir+"/new", dir+"/current")
		}
		if got, err := n.add(dir + "/current"); got != want || err != nil {
			t.Errorf("step %d: news %t, want %t; %v", i, got, want, err)
		}
	}
}

// TestUnwatchableDirectory is warned about once.
func TestUnwatchableDirectory(t *testing.T) {
	var log strings.Builder
	s := newSource(t, Options{Files: []string{"*.yml"}}, t.TempDir())
	s.env.Logger = logTo(&log)
	w := &watch{source: s, notifier: refusing{}}
	for range 3 {
		if w.follow() {
			t.Error("nothing can be watched, and something is")
		}
	}
	if n := strings.Count(log.String(), "no space left"); n != strings.Count(log.String(), "dir=") || n != 1+strings.Count(s.patterns[0].dir, "/") {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
}

// refusing is a kernel without watches left.
type refusing struct{ noNotifier }

func (refusing) add(string) (bool, error) { return false, errors.New("no space left on device") }
