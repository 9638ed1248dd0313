package health

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/mcp-sd/mcp-sd/jsonstream"
	"github.com/mcp-sd/mcp-sd/target"
)

// The ledger's part of the state file (contract §8). Names are short and times
// are milliseconds, because there may be 100,000 of these.
type (
	ledgerJSON struct {
		Steady  []steadyJSON `json:"steady"`
		Entries []entryJSON  `json:"entries"`
		MCP     []knownJSON  `json:"mcp"`
	}
	// steadyJSON are targets that are up, of which nothing else is to be said:
	// mostly all. Of their probes the newest is kept, which was a success like the
	// others.
	steadyJSON struct {
		steadyGroup
		Targets []steadyTuple `json:"targets"`
	}
	// steadyGroup is what they share.
	steadyGroup struct {
		Scheme  string `json:"scheme"`
		Path    string `json:"path"`
		Params  string `json:"params,omitempty"`
		Version string `json:"version,omitempty"`
	}
	// steadyTuple is [address, identity, since_ms, passes, at_ms, took_ms].
	steadyTuple struct {
		address, identity         string
		since, passes, at, tookMs int64
	}
	entryJSON struct {
		Scheme    string      `json:"scheme"`
		Address   string      `json:"address"`
		Path      string      `json:"path"`
		Params    string      `json:"params,omitempty"`
		Identity  string      `json:"identity,omitempty"`
		Verdict   Verdict     `json:"verdict"`
		Since     int64       `json:"since_ms,omitempty"`
		Passes    int         `json:"passes,omitempty"`
		Fails     int         `json:"fails,omitempty"`
		Ever      bool        `json:"ever,omitempty"`
		Version   string      `json:"version,omitempty"`
		Candidate string      `json:"candidate,omitempty"`
		Trouble   string      `json:"trouble,omitempty"`
		Last      []probeJSON `json:"last,omitempty"`
	}
	probeJSON struct {
		At     int64  `json:"at_ms"`
		Took   int64  `json:"took_ms"`
		Class  Class  `json:"class,omitempty"`
		Detail string `json:"detail,omitempty"`
	}
)

// MarshalJSON returns what WriteJSON writes.
func (l *Ledger) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	w := jsonstream.New(&b)
	l.WriteJSON(w)
	return b.Bytes(), w.Err()
}

// WriteJSON writes the entries sorted by key, so that the same ledger gives the
// same bytes, a line for each.
func (l *Ledger) WriteJSON(w *jsonstream.Writer) {
	groups, others := l.grouped()
	w.Text(`{"steady":[`)
	for i, g := range groups {
		if i > 0 {
			w.Text(",")
		}
		w.Open(g.steadyGroup)
		w.Text(`,"targets":`)
		w.List(l.tuples(g.keys))
		w.Text("}")
	}
	w.Text(`],"entries":`)
	w.List(l.written(others))
	if len(l.known) > 0 {
		w.Text(`,"mcp":`)
		w.List(l.knownList())
	}
	w.Text("}")
}

// group is steady targets that share what steadyGroup holds, by key.
type group struct {
	steadyGroup
	keys []*target.Key
}

// grouped sorts the targets into groups, in the order of their first target, and
// others.
func (l *Ledger) grouped() (groups []*group, others []*target.Key) {
	known := map[steadyGroup]*group{}
	keys := l.Keys()
	for i := range keys {
		k := &keys[i]
		e := l.entries[*k]
		if !e.steady() {
			others = append(others, k)
			continue
		}
		in := steadyGroup{k.Scheme, k.Path, k.Params, e.Version}
		g := known[in]
		if g == nil {
			g = &group{steadyGroup: in}
			known[in] = g
			groups = append(groups, g)
		}
		g.keys = append(g.keys, k)
	}
	return groups, others
}

// tuples are steady targets as they are written.
func (l *Ledger) tuples(keys []*target.Key) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, k := range keys {
			e := l.entries[*k]
			last := e.LastProbe()
			t := [...]any{k.Address, e.Identity, toMillis(e.Since), e.Passes, toMillis(last.At), last.Took.Milliseconds()}
			if !yield(&t) {
				return
			}
		}
	}
}

// written are targets with all that is known of them.
func (l *Ledger) written(keys []*target.Key) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, k := range keys {
			e := l.entries[*k]
			j := entryJSON{
				Scheme: k.Scheme, Address: k.Address, Path: k.Path, Params: k.Params,
				Identity: e.Identity, Verdict: e.Verdict, Since: toMillis(e.Since),
				Passes: e.Passes, Fails: e.Fails, Ever: e.Ever,
				Version: e.Version, Candidate: e.Candidate, Trouble: e.Trouble,
			}
			for _, p := range e.Last() {
				j.Last = append(j.Last, probeJSON{toMillis(p.At), p.Took.Milliseconds(), p.Class, p.Detail})
			}
			if !yield(&j) {
				return
			}
		}
	}
}

// UnmarshalJSON replaces what the ledger holds.
func (l *Ledger) UnmarshalJSON(b []byte) error {
	var in ledgerJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("reading the health ledger: %w", err)
	}
	entries := map[target.Key]*Entry{}
	for _, j := range in.Entries {
		k := target.Key{Scheme: j.Scheme, Address: j.Address, Path: j.Path, Params: j.Params}
		if j.Verdict != Up && j.Verdict != Down && j.Verdict != Unknown {
			return fmt.Errorf("reading the health ledger: %s has the verdict %q", k, j.Verdict)
		}
		e := &Entry{
			Verdict: j.Verdict, Since: fromMillis(j.Since), Passes: j.Passes, Fails: j.Fails, Ever: j.Ever,
			Version: j.Version, Identity: j.Identity, Candidate: j.Candidate, Trouble: j.Trouble,
		}
		for _, p := range j.Last {
			e.last.remember(Probe{fromMillis(p.At), time.Duration(p.Took) * time.Millisecond, p.Class, p.Detail})
		}
		entries[k] = e
	}
	for _, g := range in.Steady {
		g.addTo(entries)
	}
	known, err := recallKnown(in.MCP)
	if err != nil {
		return err
	}
	l.entries, l.known = entries, known
	return nil
}

func (g steadyJSON) addTo(entries map[target.Key]*Entry) {
	for _, t := range g.Targets {
		k := target.Key{Scheme: g.Scheme, Address: t.address, Path: g.Path, Params: g.Params}
		e := &Entry{Verdict: Up, Since: fromMillis(t.since), Passes: int(t.passes), Ever: true, Version: g.Version, Identity: t.identity}
		e.last.remember(Probe{At: fromMillis(t.at), Took: time.Duration(t.tookMs) * time.Millisecond})
		entries[k] = e
	}
}

// steady reports whether a target is up and always was lately.
func (e *Entry) steady() bool {
	return e.Verdict == Up && e.Ever && e.Fails == 0 && e.Candidate == "" && e.Trouble == "" &&
		e.last.good()
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *steadyTuple) UnmarshalJSON(b []byte) error {
	fields := [...]any{&t.address, &t.identity, &t.since, &t.passes, &t.at, &t.tookMs}
	into := fields[:]
	if err := json.Unmarshal(b, &into); err != nil {
		return err
	}
	if len(into) != len(fields) {
		return fmt.Errorf("a steady target has %d fields instead of %d", len(into), len(fields))
	}
	return nil
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
