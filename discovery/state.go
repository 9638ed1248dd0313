package discovery

import (
	"cmp"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// State is everything that a decision rests on. It has one owner and no lock.
type State struct {
	Sources []*Source // in configuration order: the order decides between duplicates
	Ledger  *health.Ledger
	Journal []Removal // oldest first

	records map[target.Key]*Record
	order   []*Record // by Key
	fresh   []*Record // not in order yet
	holes   bool      // order has records that are gone
	docket  docket
	news    news
	// lost says that some output file was missing or broken at the start, so that
	// what is listed may have been published: until all sources have answered,
	// it counts as admitted.
	lost bool
}

// Source is what is known of one configured source.
type Source struct {
	Name, Type string
	// Fingerprint is of the options and relabel rules that shape its listings.
	Fingerprint string
	Polling     bool // listings arrive at intervals; otherwise a standing query watches
	Parts       []*Part
	Listed      time.Time // when the latest listing arrived; zero before the first
	Succeeded   time.Time // when a listing last came without a failed part
	Answered    bool      // every part has answered well at some time since the source was set up
	Run         Run       // of listings without a failed part
	Window      Window
	// Reshaped is set by a change of the mechanism's options or relabel rules
	// and cleared by the first complete listing: parts that are gone by then
	// were taken out by the operator (contract §6).
	Reshaped bool

	settled  census // of its records that are not on the docket
	relisted bool   // some part lists other instances than those that were saved
}

// Part is one independent piece of a source, with its own outcome and its own
// last good listing.
type Part struct {
	Name     string
	Source   *Source
	Raw      []target.Raw       // of the last good listing
	Targets  []*target.Target   // the same after relabelling, by Key
	Own      []target.Rejection // of the mechanism
	Rejected []target.Rejection // Own, and what relabelling left out
	Inline   bool
	Err      error // of the latest answer; nil after a good one
	Answered bool
	At       time.Time // of the last good answer
	Run      Run
	Free     bool // its next good and non-empty listing is free of the ratio (contract §6)

	gone bool    // its source does not name it any more
	self []*Part // the usual value of Record.By, shared
}

// Run is an unbroken sequence of good answers. A failed one ends it.
type Run struct {
	Since time.Time `json:"since"`
	Count int       `json:"count"`
}

func (r *Run) good(at time.Time) {
	if r.Count == 0 {
		r.Since = at
	}
	r.Count++
}

// Record is what is known of one target key. It exists while the key is listed
// or published.
type Record struct {
	Key    target.Key
	Listed *target.Target // merged over all parts that list it; nil: nobody does
	By     []*Part        // the parts that list it, or those that last did

	Published *target.Target // as it stands in the output files; nil: it does not

	PendingSince  moment // listed, and not published since
	UnlistedSince moment
	lacks         []lack  // of each part in By: how many good answers it had given when it stopped listing it
	HeldSince     moment  // the guard holds it; zero: it does not
	Dropped       moment  // down for drop_after and taken out; zero: not so
	MoveHeldSince moment  // the guard holds its new labels, which would empty a file
	Accepted      string  // who let through what the guard holds; empty: nobody
	Version       Version // the version last published for this identity

	// Inherited says that the files had it when the engine started (or that its
	// source was taken out), so that it is not known which parts last listed it:
	// it stays as it is until all parts of all sources have answered.
	Inherited bool
	Inline    bool // only inline static targets listed it last
	Free      bool // a change of configuration took it out of its part: free of the guard's ratio
	TakenOut  bool // its part was taken out of the configuration: it leaves without lingering

	restored bool // listed, and perhaps published in a file that was lost
	gone     bool // no record of the state any more
	met      bool // by the Merge at work
	identity string
	made     made
	docketed
}

// awaits reports whether the record must stay as it stands in the files: some
// part that last listed it, or where that is not known any part at all, has not
// answered since the start (contract §8).
func (r *Record) awaits() bool {
	if r.Inherited {
		return true
	}
	for _, p := range r.By {
		if p.gone && !p.Source.Answered || !p.gone && !p.Answered {
			return true
		}
	}
	return false
}

// Version is a version with its origin (contract §5).
type Version struct {
	Value string `json:"value"`
	From  string `json:"from"` // FromSource, FromMetrics, FromMCP
}

// NewState returns an empty state.
func NewState() *State {
	return &State{
		Ledger:  &health.Ledger{},
		records: map[target.Key]*Record{},
	}
}

// Records returns all records by Key. The slice is the state's own.
func (s *State) Records() []*Record { return s.order }

// Record returns what is known of a key, or nil.
func (s *State) Record(k target.Key) *Record { return s.records[k] }

// Source returns the configured source of that name, or nil.
func (s *State) Source(name string) *Source {
	for _, src := range s.Sources {
		if src.Name == name {
			return src
		}
	}
	return nil
}

// Inherit takes over what the output files say: all of it counts as published.
// Where files differ about a key, the first file in name order speaks.
//
// versionLabel is version.label, by which a published version is known again.
func (s *State) Inherit(files map[string][]target.Target, versionLabel string) {
	names := make([]string, 0, len(files))
	for f := range files {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, f := range names {
		for i := range files[f] {
			s.inherit(files[f][i], versionLabel)
		}
	}
	s.arrange()
	s.news.everything = true
	s.reopen()
}

func (s *State) inherit(t target.Target, versionLabel string) {
	r := s.records[t.Key]
	if r == nil {
		r = s.add(&Record{Key: t.Key, Inherited: true})
	}
	if r.Published != nil {
		return
	}
	r.Published = &t
	r.PendingSince = moment{}
	if r.Version.Value == "" {
		r.Version = publishedVersion(t.Labels, versionLabel)
	}
}

// publishedVersion reads the version back from published labels.
func publishedVersion(l target.Labels, label string) Version {
	from := l.Get(target.VersionSourceLabel)
	if from == "" {
		return Version{}
	}
	if v := l.Get(target.VersionLabel); v != "" {
		return Version{Value: v, From: from}
	}
	return Version{Value: l.Get(label), From: from}
}

// add takes a new record in; arrange must follow.
func (s *State) add(r *Record) *Record {
	s.records[r.Key] = r
	s.fresh = append(s.fresh, r)
	s.docket.enter(r)
	return r
}

// drop lets go of a record; arrange must follow.
func (s *State) drop(r *Record) {
	s.touch(r)
	delete(s.records, r.Key)
	s.Ledger.Forget(r.Key)
	r.gone, s.holes = true, true
	s.docket.forget(r)
}

// arrange brings the order up to date after records came or went.
func (s *State) arrange() {
	if s.holes {
		s.order = slices.DeleteFunc(s.order, func(r *Record) bool { return r.gone })
		s.fresh = slices.DeleteFunc(s.fresh, func(r *Record) bool { return r.gone })
		s.holes = false
	}
	if len(s.fresh) == 0 {
		return
	}
	slices.SortFunc(s.fresh, compareRecords)
	s.order = mergeRecords(s.order, s.fresh)
	s.fresh = nil
}

func compareRecords(a, b *Record) int { return a.Key.Compare(b.Key) }

func mergeRecords(a, b []*Record) []*Record {
	if len(a) == 0 {
		return b
	}
	out := make([]*Record, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compareRecords(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Answered reports whether every part of every source has answered well.
func (s *State) Answered() bool {
	for _, src := range s.Sources {
		if !src.Answered {
			return false
		}
	}
	return true
}

// Waiting names the sources that have not answered yet, for people.
func (s *State) Waiting() []string {
	var names []string
	for _, src := range s.Sources {
		if !src.Answered {
			names = append(names, src.Name)
		}
	}
	return names
}

// configured reports whether the source is still in the configuration.
func (s *State) configured(src *Source) bool { return src != nil && slices.Contains(s.Sources, src) }

func (s *Source) part(name string) (*Part, int) {
	i, found := slices.BinarySearchFunc(s.Parts, name, func(p *Part, n string) int { return cmp.Compare(p.Name, n) })
	if !found {
		return nil, i
	}
	return s.Parts[i], i
}

// listing names the parts that list a target.
func (s *Source) listing() []string {
	var names []string
	for _, p := range s.Parts {
		if len(p.Targets) > 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// Failed reports whether some part's latest answer was a failure.
func (s *Source) Failed() bool {
	for _, p := range s.Parts {
		if p.Err != nil {
			return true
		}
	}
	return s.Listed.IsZero()
}
