package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// stateSchema and listingSchema are the versions of the state files that are
// written. One that this program does not know is set aside, like a damaged one.
//
// state.json: 2 has the ledger's "steady" targets, which 1 had among its
// entries; 1 is read as well.
const (
	stateSchema   = 2
	listingSchema = 1
)

// saveEvery bounds, with the loop's longest sleep, how old the state on disk may
// be (contract §8: 30 s).
const saveEvery = 30*time.Second - inspectEvery

const stateFile = "state.json"

// saved is state.json. What the output files and the listings say already is
// not repeated in it.
type saved struct {
	Schema  int                    `json:"schema"`
	Written time.Time              `json:"written"`
	Sources map[string]savedSource `json:"sources"`
	Records []savedRecord          `json:"records"`
	Ledger  *health.Ledger         `json:"ledger"`
	Journal []Removal              `json:"journal"`

	from []*Record // of which encode makes Records, one at a time
}

type savedSource struct {
	Type        string         `json:"type"`
	Fingerprint string         `json:"fingerprint"`
	Answered    bool           `json:"answered"`
	Run         Run            `json:"run"`
	Parts       map[string]Run `json:"parts"`
	Succeeded   time.Time      `json:"succeeded,omitzero"`
	Window      Window         `json:"window,omitzero"`
}

type savedRecord struct {
	Key           target.Key  `json:"key"`
	PendingSince  time.Time   `json:"pending_since,omitzero"`
	UnlistedSince time.Time   `json:"unlisted_since,omitzero"`
	HeldSince     time.Time   `json:"held_since,omitzero"`
	MoveHeldSince time.Time   `json:"move_held_since,omitzero"`
	Dropped       time.Time   `json:"dropped,omitzero"`
	By            []savedLack `json:"by,omitempty"`
	Inline        bool        `json:"inline,omitempty"`
	Free          bool        `json:"free,omitempty"`
	TakenOut      bool        `json:"taken_out,omitempty"`
	Identity      string      `json:"identity,omitempty"`
	Version       Version     `json:"version,omitzero"`
}

type savedLack struct {
	Source   string `json:"source"`
	Part     string `json:"part"`
	Of       Run    `json:"of"`
	OfSource Run    `json:"of_source"`
}

// memory keeps the state on disk. Without a folder it keeps nothing.
type memory struct {
	folder Folder
	logger *slog.Logger

	dirty    bool
	aged     bool            // what is on disk is right, but older than it could be
	listings map[string]bool // sources whose listing changed
	savedAt  time.Time
	fails    trouble // saving
}

func (m *memory) changed() { m.dirty = true }

// listed notes that a source answered, and whether with something new. That it
// said the same again counts for what waits, if anything does.
func (m *memory) listed(src *Source, waits bool) {
	if src == nil {
		return
	}
	m.aged = true
	m.dirty = m.dirty || waits || src.relisted || src.Failed()
	if src.relisted {
		if m.listings == nil {
			m.listings = map[string]bool{}
		}
		m.listings[src.Name] = true
		src.relisted = false
	}
}

// save writes what changed, at once or where the last time is long enough ago.
func (m *memory) save(s *State, now time.Time, atOnce bool) error {
	if m.folder == nil || !m.dirty && !(atOnce && m.aged) || !atOnce && now.Sub(m.savedAt) < saveEvery {
		return nil
	}
	m.savedAt = now
	err := errors.Join(m.saveListings(s), m.write(s.saved(now)))
	begins, over := m.fails.news(newKinds().of(err, ""))
	if begins {
		m.logger.Error("could not save the state; it is tried again", slog.Any("err", err))
	}
	if over {
		m.logger.Info("saving the state works again")
	}
	if err != nil {
		return err
	}
	m.dirty, m.aged = false, false
	return nil
}

// intend records the removals of a plan before they are performed.
func (m *memory) intend(s *State, p *Plan, now time.Time) error {
	if m.folder == nil {
		return nil
	}
	if err := m.saveListings(s); err != nil { // an older listing would bring back what leaves now
		return err
	}
	v := s.saved(now)
	v.Journal = slices.Clone(v.Journal)
	for i := range p.Decisions {
		c := &p.Decisions[i]
		if c.Record.Published == nil || c.Target != nil {
			continue
		}
		v.Journal = append(v.Journal, c.removal(now))
		if src, ok := v.Sources[c.owner.name]; ok && c.spends() {
			src.Window.Removed = append(slices.Clone(src.Window.Removed), now)
			v.Sources[c.owner.name] = src
		}
	}
	return m.write(v)
}

func (m *memory) write(v *saved) error {
	if err := m.folder.Stream(stateFile, v.encode); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}

// saved copies out of the state what a restart must know.
func (s *State) saved(now time.Time) *saved {
	v := &saved{Schema: stateSchema, Written: now, Sources: map[string]savedSource{}, Ledger: s.Ledger, Journal: s.Journal, from: s.order}
	for _, src := range s.Sources {
		in := savedSource{
			Type: src.Type, Fingerprint: src.Fingerprint, Answered: src.Answered,
			Run: src.Run, Window: src.Window, Parts: map[string]Run{}, Succeeded: src.Succeeded,
		}
		for _, p := range src.Parts {
			in.Parts[p.Name] = p.Run
		}
		v.Sources[src.Name] = in
	}
	return v
}

func (r *Record) saved() savedRecord {
	in := savedRecord{
		Key: r.Key, PendingSince: r.PendingSince.Time(), UnlistedSince: r.UnlistedSince.Time(),
		HeldSince: r.HeldSince.Time(), MoveHeldSince: r.MoveHeldSince.Time(), Dropped: r.Dropped.Time(),
		Inline: r.Inline, Free: r.Free, TakenOut: r.TakenOut,
		Identity: r.identity, Version: r.Version,
	}
	if r.Listed != nil {
		return in
	}
	for _, l := range r.lacks {
		in.By = append(in.By, savedLack{Source: l.part.Source.Name, Part: l.part.Name, Of: l.of, OfSource: l.source})
	}
	return in
}

// notable reports whether a record holds anything that the output files and
// the listings do not say as well.
func (r *Record) notable() bool {
	return !r.PendingSince.IsZero() || !r.UnlistedSince.IsZero() || !r.HeldSince.IsZero() ||
		!r.MoveHeldSince.IsZero() || !r.Dropped.IsZero()
}

// load reads state.json. Nil means that there is none that can be used, which
// is news where targets are published.
func (m *memory) load(published bool) *saved {
	data, err := m.folder.Read(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		if published {
			m.logger.Warn("there is no state although targets are published; it is rebuilt from the output files", slog.String("file", stateFile))
		}
		return nil
	}
	v := &saved{Ledger: &health.Ledger{}}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	switch {
	case err != nil:
	case v.Schema < 1 || v.Schema > stateSchema:
		err = fmt.Errorf("it has schema %d, this mcp-sd knows 1 to %d", v.Schema, stateSchema)
	case v.Ledger == nil:
		err = errors.New("its ledger is null")
	}
	if err != nil {
		m.setAside(stateFile, err)
		return nil
	}
	return v
}

func (m *memory) setAside(name string, why error) {
	to, err := m.folder.SetAside(name)
	if err != nil {
		m.logger.Warn("the state file can't be used, nor moved out of the way", slog.String("file", name), slog.Any("err", errors.Join(why, err)))
		return
	}
	m.logger.Warn("the state file can't be used; it was set aside, and the state is rebuilt from the output files",
		slog.String("file", name), slog.String("moved_to", to), slog.Any("err", why))
}
