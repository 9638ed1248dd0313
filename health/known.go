package health

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Known is what the ledger knows of a target as an MCP server. It is a value
// that is never written again.
type Known struct {
	Server         // what it said of itself, its version believed by the rule of contract §5
	Proved    bool // it answered by the protocol
	Metrics   bool // mcp_* was among its metrics
	Candidate string
	Others    int // last answers in a row that were not those of an MCP server

	// The last question. Class and Detail say why it proved nothing.
	Asked  time.Time
	Keep   time.Duration
	Class  Class
	Detail string
}

// othersMost is how many answers in a row that are not those of an MCP server
// it takes to believe that what was one is none any more.
const othersMost = 2

// MCP returns what is known of a target as an MCP server; nil where it was never
// asked and nothing was seen.
func (l *Ledger) MCP(k target.Key) *Known { return l.known[k] }

// AskAfter is when a target is to be asked again, for Check; 0: it was never asked.
func (k *Known) AskAfter() int64 {
	if k == nil || k.Asked.IsZero() {
		return 0
	}
	return toMillis(k.Asked.Add(k.Keep))
}

// know replaces what is known of a target, and reports whether it is something
// that anybody has to be told.
func (l *Ledger) know(key target.Key, k Known) (changed bool) {
	old := Known{}
	if p := l.known[key]; p != nil {
		old = *p
	}
	if l.known == nil {
		l.known = map[target.Key]*Known{}
	}
	l.known[key] = &k
	return old.Server != k.Server || old.Proved != k.Proved || old.Metrics != k.Metrics ||
		old.Candidate != k.Candidate || k.Others == 1 && k.Proved
}

// see notes that a target has metrics that only an MCP server has.
func (l *Ledger) see(key target.Key) (changed bool) {
	k := Known{}
	if p := l.known[key]; p != nil {
		k = *p
	}
	if k.Metrics {
		return false
	}
	k.Metrics = true
	return l.know(key, k)
}

// learn takes an answer over. A question that was left open changes nothing of
// what is known but when it was asked.
func (l *Ledger) learn(r Result) (changed bool) {
	k := Known{}
	if p := l.known[r.Key]; p != nil {
		k = *p
	}
	k.Asked, k.Keep, k.Class, k.Detail = r.At, r.MCP.Keep, r.Class, r.Detail
	switch {
	case r.MCP.Proved:
		k.believe(r.MCP.Server)
	case r.MCP.Other:
		k.doubt()
	}
	return l.know(r.Key, k)
}

// believe takes name and revision over at once: they are told in __meta_ labels
// alone. A version that differs is believed when two answers in a row told it
// (contract §5), for which the second is asked for soon.
func (k *Known) believe(told Server) {
	version, candidate := k.Version, ""
	switch {
	case told.Version == "" || told.Version == version:
	case version == "" || told.Version == k.Candidate:
		version = told.Version
	default:
		candidate, k.Keep = told.Version, 0
	}
	k.Proved, k.Others = true, 0
	k.Server, k.Candidate = Server{Name: told.Name, Version: version, Protocol: told.Protocol}, candidate
}

// doubt notes an answer that is not that of an MCP server.
func (k *Known) doubt() {
	k.Others = min(k.Others+1, othersMost)
	if k.Others >= othersMost {
		k.Proved, k.Server, k.Candidate = false, Server{}, ""
	} else if k.Proved {
		k.Keep = min(k.Keep, keepLeast)
	}
}

// knownJSON is what the state file has of it, in a list beside the ledger's
// others: who does not know it overlooks it.
type knownJSON struct {
	Scheme    string `json:"scheme"`
	Address   string `json:"address"`
	Path      string `json:"path"`
	Params    string `json:"params,omitempty"`
	Name      string `json:"name,omitempty"`
	Version   string `json:"version,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Proved    bool   `json:"proved,omitempty"`
	Metrics   bool   `json:"metrics,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	Others    int    `json:"others,omitempty"`
	Asked     int64  `json:"asked_ms,omitempty"`
	Keep      int64  `json:"keep_ms,omitempty"`
	Class     Class  `json:"class,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// knownList is all that is known, by key.
func (l *Ledger) knownList() iter.Seq[any] {
	keys := make([]target.Key, 0, len(l.known))
	for k := range l.known {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, target.Key.Compare)
	return func(yield func(any) bool) {
		for _, key := range keys {
			k := l.known[key]
			j := knownJSON{
				Scheme: key.Scheme, Address: key.Address, Path: key.Path, Params: key.Params,
				Name: k.Name, Version: k.Version, Protocol: k.Protocol, Proved: k.Proved, Metrics: k.Metrics,
				Candidate: k.Candidate, Others: k.Others, Asked: toMillis(k.Asked), Keep: k.Keep.Milliseconds(),
				Class: k.Class, Detail: k.Detail,
			}
			if !yield(&j) {
				return
			}
		}
	}
}

// recallKnown reads the list back. What could not become a label is left out:
// a state file may have been written by anybody.
func recallKnown(list []knownJSON) (map[target.Key]*Known, error) {
	var known map[target.Key]*Known
	for _, j := range list {
		key := target.Key{Scheme: j.Scheme, Address: j.Address, Path: j.Path, Params: j.Params}
		if j.Keep < 0 || j.Others < 0 {
			return nil, fmt.Errorf("reading the health ledger: what is known of %s has a negative number", key)
		}
		if known == nil {
			known = make(map[target.Key]*Known, len(list))
		}
		known[key] = &Known{
			Server: Server{Name: presented(j.Name), Version: presented(j.Version), Protocol: presented(j.Protocol)},
			Proved: j.Proved, Metrics: j.Metrics, Candidate: presented(j.Candidate), Others: j.Others,
			Asked: fromMillis(j.Asked), Keep: time.Duration(j.Keep) * time.Millisecond,
			Class: j.Class, Detail: clean(j.Detail),
		}
	}
	return known, nil
}

// presented is a text that may become a label, or none.
func presented(s string) string {
	if !presentable(s) {
		return ""
	}
	return s
}
