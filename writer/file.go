package writer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	healthWait = 30 * time.Second // for changes of health alone (contract §3)
	emptyKept  = 24 * time.Hour   // how long a file stays as [] (contract §7)
	touchEvery = time.Minute      // contract §7

	firstRetry = time.Second
	lastRetry  = time.Minute
)

// file is one output file: what it shall hold, and what it holds.
type file struct {
	dir    *directory
	name   string
	path   string
	output *output // whose layout it follows; nil: of no configured output

	// What it shall hold.
	wanted bool // shall be there, if only as []
	want   []entry
	next   []entry // want in the making

	// What it holds, as far as is known.
	claim   *claim      // nil: not ours
	seen    fs.FileInfo // nil: not there
	disk    []entry
	body    []byte
	sources []string // in disk
	hash    uint64
	broken  bool // it could not be understood: what it held is not known
	stale   bool // to be written even where the entries are right

	// When it is written.
	pending     change
	complete    bool      // disk has every key of want
	blocked     bool      // all that is left to do waits for another file
	stored      time.Time // by this writer, for min_write_interval
	changedAt   time.Time // the same, or the modification time found at the start
	healthSince time.Time // the oldest unwritten change of health alone
	refreshed   time.Time // by Touch
	trouble     trouble
	unsynced    bool // written, but the directory could not be synced
}

// trouble is the state of something that failed: when to try again.
type trouble struct {
	err     error // nil: none
	retryAt time.Time
	backoff *backoff.ExponentialBackOff
}

// note records a failure; the next attempt is 1 s away, then 2, 4 … 60 s.
func (t *trouble) note(err error, now time.Time) {
	if t.backoff == nil {
		t.backoff = &backoff.ExponentialBackOff{InitialInterval: firstRetry, Multiplier: 2, MaxInterval: lastRetry}
	}
	t.err, t.retryAt = err, now.Add(t.backoff.NextBackOff())
}

func (t *trouble) clear() { *t = trouble{} }

// owned reports whether the file is mcp-sd's.
func (f *file) owned() bool { return f.claim != nil }

// old reports whether the file follows another layout than the configured
// one: its targets belong elsewhere.
func (f *file) old() bool {
	return f.owned() && (f.output == nil || f.claim.Layout != f.output.layout)
}

// compare finds out what is left to do.
func (f *file) compare() {
	f.pending, f.complete = compareEntries(f.disk, f.want)
	if f.stale || f.wanted && f.seen == nil {
		f.pending = content
	}
}

// ready says when the next write is allowed; a zero time is at once.
func (f *file) ready() time.Time {
	var at time.Time
	if f.output != nil && !f.stored.IsZero() {
		at = f.stored.Add(f.output.interval)
	}
	if f.trouble.err != nil && f.trouble.retryAt.After(at) {
		at = f.trouble.retryAt
	}
	return at
}

// dueAt says when the pending change is to be written; flush is whether
// changes of health alone go along with others now.
func (f *file) dueAt(flush bool) time.Time {
	at := f.ready()
	if gathered := f.healthSince.Add(healthWait); f.pending == health && !flush && gathered.After(at) {
		at = gathered
	}
	return at
}

// errIrregular is something that a rename must not replace.
var errIrregular = errors.New("is no regular file")

// checkReplaceable looks at what a rename would replace.
func checkReplaceable(path string, info fs.FileInfo) error {
	switch {
	case info == nil || info.Mode().IsRegular():
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s %w but a symbolic link, which a rename would replace: remove the link, or write the path that it leads to into the configuration", path, errIrregular)
	}
	return fmt.Errorf("%s %w: move it away", path, errIrregular)
}

// replaceable says no where the file can't be replaced as things stand.
func (f *file) replaceable() error {
	info, err := lookAt(f.path)
	if err != nil {
		return stepError(f.path, stepStage, f.dir.path, err)
	}
	return checkReplaceable(f.path, info)
}

// look compares the file with what was last seen of it, and reads it again if
// it is another one. The error says why it could not be read; then it counts as
// holding what it held.
func (w *Writer) look(f *file) error {
	info, err := lookAt(f.path)
	switch {
	case err != nil:
		return fmt.Errorf("looking at %s: %w: %s", f.path, err, remedy("", f.dir.path, err))
	case untouched(f.seen, info):
		return nil
	case info == nil:
		f.seen, f.disk, f.body, f.sources, f.stale = nil, nil, nil, nil, false
		return nil
	}
	if err := checkReplaceable(f.path, info); err != nil {
		f.seen, f.stale = info, true
		return err
	}
	body, err := w.fs.read(f.path)
	if err != nil {
		f.stale = true
		return fmt.Errorf("reading %s: %w: %s", f.path, err, remedy("", f.dir.path, err))
	}
	f.seen, f.changedAt = info, info.ModTime()
	if f.body == nil || !bytes.Equal(f.body, body) {
		w.take(f, body)
	}
	if o := f.output; o != nil && (info.Mode().Perm() != o.mode || o.gid >= 0 && gidOf(info) != o.gid) {
		f.stale = true
	}
	return nil
}

// take makes body what the file is known to hold.
func (w *Writer) take(f *file, body []byte) {
	targets, err := Parse(body)
	if err != nil {
		w.options.Logger.Warn("one of our files is broken, so nothing is known to be published there until it is written again",
			"file", f.path, "err", err)
		f.disk, f.body, f.sources, f.stale, f.broken = nil, body, nil, true, true
		return
	}
	f.broken = false
	es := make([]entry, len(targets))
	for i := range targets {
		es[i] = entry{&targets[i].Key, targets[i].Labels}
	}
	f.disk, f.body = canonical(es), body
	r, err := render(f.disk)
	if err != nil || !bytes.Equal(r.body, body) {
		f.stale = true // the right list, in another layout
	}
	f.sources, f.hash = r.sources, r.hash
}
