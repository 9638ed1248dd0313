package health

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Verdict is what is believed of a target.
type Verdict string

// The verdicts.
const (
	Unknown Verdict = "unknown"
	Up      Verdict = "up"
	Down    Verdict = "down"
)

// Entry is what the ledger knows of one target. It is a value: what it points
// to is never written again.
type Entry struct {
	Verdict  Verdict
	Since    time.Time // when the verdict last changed
	Passes   int       // consecutive successes up to now
	Fails    int       // consecutive failures up to now
	Ever     bool      // one success ever
	Version  string    // as the metrics tell it, believed by the rule of contract §5
	Identity string
	// Candidate is another version, told by the last probe alone.
	Candidate string
	// Trouble says why the last attempt gave no verdict; empty after one that did.
	Trouble string

	last history
}

// Ledger keeps the verdict on every target. It is pure: no clock, no
// goroutine, one owner. Its zero value is empty and ready.
type Ledger struct {
	entries map[target.Key]*Entry
	known   map[target.Key]*Known // of targets whose source has them asked
}

// Get returns what is known of a target; ok is false where nothing is.
func (l *Ledger) Get(k target.Key) (e Entry, ok bool) {
	if p := l.entries[k]; p != nil {
		return *p, true
	}
	return Entry{Verdict: Unknown}, false
}

// unknown is what is known of a target that was never probed. It is never
// written.
var unknown = Entry{Verdict: Unknown}

// Peek is Get without the copy, for the owner's loops over all targets: what it
// returns must not be written, nor kept beyond the next Fold.
func (l *Ledger) Peek(k target.Key) *Entry {
	if e := l.entries[k]; e != nil {
		return e
	}
	return &unknown
}

// Last are the last few probes, the oldest first.
func (e *Entry) Last() []Probe { return e.last.probes() }

// LastProbe is the newest remembered result; its zero value where there is none.
func (e *Entry) LastProbe() Probe { return e.last.newest() }

// LastFailure says for people how a target's last probe failed, or why there
// is no verdict; empty after a success.
func (l *Ledger) LastFailure(k target.Key) string {
	e := l.Peek(k)
	p := e.LastProbe()
	switch {
	case e.Trouble != "":
		return e.Trouble
	case p.Class.Up():
		return ""
	}
	return Failure(p.Class, p.Detail)
}

// Failure puts a class and its detail into one text.
func Failure(c Class, detail string) string {
	switch {
	case c.Up():
		return detail
	case detail == "":
		return c.String()
	}
	return c.String() + ": " + detail
}

// Age hands every time in the ledger to move, which may change it: after a gap
// between two runs, for which contract §8 has a rule.
func (l *Ledger) Age(move func(...*time.Time)) {
	for _, e := range l.entries {
		move(&e.Since)
		e.last.age(move)
	}
}

// Len is the number of targets known.
func (l *Ledger) Len() int { return len(l.entries) }

// Keys are the targets known, sorted.
func (l *Ledger) Keys() []target.Key {
	keys := make([]target.Key, 0, len(l.entries))
	for k := range l.entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, target.Key.Compare)
	return keys
}

// Forget drops a target. A result of it that is still under way would make an
// entry anew: the owner folds results of the targets that it knows, no others.
func (l *Ledger) Forget(k target.Key) {
	delete(l.entries, k)
	delete(l.known, k)
}

// Identify says who lives behind a target now. Another identity than before
// makes history and version start anew (contract §5), which is reported; an
// empty one says nothing, because its mechanism cannot know.
func (l *Ledger) Identify(k target.Key, identity string) (reset bool) {
	e := l.entry(k)
	if identity == "" || identity == e.Identity {
		return false
	}
	known := e.Identity != ""
	if known {
		*e = Entry{Verdict: Unknown}
		delete(l.known, k)
	}
	e.Identity = identity
	return known
}

// entry returns a target's, making one where there is none.
func (l *Ledger) entry(k target.Key) *Entry {
	e := l.entries[k]
	if e == nil {
		if l.entries == nil {
			l.entries = map[target.Key]*Entry{}
		}
		e = &Entry{Verdict: Unknown}
		l.entries[k] = e
	}
	return e
}

// Fold takes a result in and reports whether verdict or version changed, or
// what is known of the target as an MCP server.
//
// The first success ever is up at once; after that rise consecutive successes
// turn a target up and fall consecutive failures turn it down. A canceled
// result changes no verdict, and one of another identity than the entry's is
// ignored.
func (l *Ledger) Fold(r Result, rise, fall int, now time.Time) (changed bool) {
	e := l.entry(r.Key)
	if r.Identity != "" && e.Identity != "" && r.Identity != e.Identity {
		return false
	}
	if r.MCP != nil {
		return l.learn(r)
	}
	if r.Class == ClassCanceled {
		e.Trouble = r.Detail
		return false
	}
	if e.Identity == "" {
		e.Identity = r.Identity
	}
	verdict, version := e.Verdict, e.Version
	e.Trouble = ""
	e.last.remember(Probe{At: r.At, Took: r.Took, Class: r.Class, Detail: r.Detail})
	e.judge(r.Class.Up(), rise, fall)
	e.believe(r)
	if e.Verdict != verdict {
		e.Since = now
	}
	seen := r.MCPMetrics && l.see(r.Key)
	return e.Verdict != verdict || e.Version != version || seen
}

func (e *Entry) judge(up bool, rise, fall int) {
	if up {
		e.Passes, e.Fails = e.Passes+1, 0
		if !e.Ever || e.Passes >= rise {
			e.Verdict = Up
		}
		e.Ever = true
		return
	}
	e.Passes, e.Fails = 0, e.Fails+1
	if e.Fails >= fall {
		e.Verdict = Down
	}
}

// believe takes the first version at once and a different one when two probes
// in a row told it (contract §5).
func (e *Entry) believe(r Result) {
	told := r.Version
	if !r.Class.Up() {
		told = ""
	}
	switch {
	case told == "" || told == e.Version:
		e.Candidate = ""
	case e.Version == "" || told == e.Candidate:
		e.Version, e.Candidate = told, ""
	default:
		e.Candidate = told
	}
}
