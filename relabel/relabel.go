// Package relabel turns what a source says about an instance into what
// Prometheus is given: missing labels are filled in from the configuration,
// relabel_configs run, hygiene drops what must not be published, and scheme,
// address, path and parameters become the target's key (contract §4, §7).
//
// The rules are Prometheus' own, run by its own library with legacy name
// validation. One thing differs, and only for discovered sources: a rule whose
// target name comes out of the data (labelmap, or a target_label with $) can't
// set job, instance or a label beginning with __, unless the rule itself spells
// the beginning of it, as in __param_$1. Otherwise whoever may tag an instance
// could choose the address that is scraped in its name.
package relabel

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/prometheus/prometheus/model/relabel"

	"github.com/mcp-sd/mcp-sd/target"
)

// Options say how one source's targets are relabelled.
type Options struct {
	Source   string
	Operator bool // what the source says are the operator's own words: its labels may be any that `labels:` may set
	// Labels fill what is missing: the source's laid over the global ones.
	Labels map[string]string
	// Configs have passed Validate.
	Configs []*relabel.Config
	// Scheme and Path are the key's where a target has none; empty means
	// Prometheus' defaults.
	Scheme, Path string
	// Endpoint publishes Scheme and Path with every target that has none,
	// because they were set in the configuration (contract §5).
	Endpoint bool
	Policy   target.AddressPolicy // literal denied addresses never get in
	KeepMeta bool                 // fill Target.Meta, because some output publishes it
	MCP      bool                 // say which targets are declared to be MCP servers
}

// Relabeler relabels one source's listings. It remembers what became of each
// instance, so that one that is listed again unchanged costs next to nothing.
// It is for one goroutine at a time.
type Relabeler struct {
	p       *process
	source  string
	metrics *Metrics
	log     *slog.Logger
	parts   map[string]*memory
}

// New builds a Relabeler. The metrics are shared by all of them, across reloads.
func New(o Options, m *Metrics, log *slog.Logger) *Relabeler {
	m.announce(o.Source)
	return &Relabeler{
		p:       newProcess(o),
		source:  o.Source,
		metrics: m,
		log:     log,
		parts:   map[string]*memory{},
	}
}

// Targets turns what a part lists into targets, sorted by key, identity and
// labels, and says what was left out: the part's own rejections, those of
// relabelling and hygiene, and the targets that relabel_configs dropped, which
// are no rejections (see Dropped). Rejections are complete for the part; each is
// counted and logged once, when it appears.
//
// An unchanged part yields what it yielded before; a failed one nothing, and it
// is remembered what it listed. The results are shared: do not modify them.
func (r *Relabeler) Targets(p target.Part) ([]*target.Target, []target.Rejection) {
	if p.Err != nil {
		return nil, nil
	}
	m := r.parts[p.Name]
	if m == nil {
		m = r.remember(p.Name)
	}
	if p.Unchanged {
		return m.targets, m.rejected
	}
	if r.update(m, p.Raw) || !slices.Equal(m.own, p.Rejected) {
		m.own = p.Rejected
		m.rebuild()
		fresh := m.news()
		r.count(fresh)
		r.report(slog.LevelWarn, p.Name, fresh)
	}
	return m.targets, m.rejected
}

// Recall is Targets for what an earlier run of mcp-sd was told. What was left out
// then did not appear now: it is not counted again, and named for those alone who
// want to know what is going on, so that cron does not send a mail about it every
// minute.
func (r *Relabeler) Recall(p target.Part) ([]*target.Target, []target.Rejection) {
	m := r.remember(p.Name)
	m.own = p.Rejected
	r.update(m, p.Raw)
	m.rebuild()
	r.report(slog.LevelInfo, p.Name, m.news())
	return m.targets, m.rejected
}

func (r *Relabeler) remember(part string) *memory {
	m := &memory{byRaw: map[target.Raw]*entry{}}
	r.parts[part] = m
	return m
}

// Forget drops what is remembered of a part that is gone for good.
func (r *Relabeler) Forget(part string) { delete(r.parts, part) }

// update takes a part's instances in, relabelling those it does not know, and
// reports whether anything differs from the pass before.
func (r *Relabeler) update(m *memory, raws []target.Raw) (changed bool) {
	m.pass++
	m.added = m.added[:0]
	listed := m.spare[:0]
	at := 0 // where in the old order the listing goes on: most of it is the same
	for _, raw := range raws {
		var e *entry
		if e, at = m.find(raw, at); e == nil {
			e = r.p.entry(raw)
			m.byRaw[raw] = e
			m.added = append(m.added, e)
		} else if e.pass == m.pass {
			continue // listed twice, word for word
		}
		e.pass, e.pos = m.pass, len(listed)
		listed = append(listed, e)
	}
	gone := len(m.byRaw) > len(listed)
	if gone {
		maps.DeleteFunc(m.byRaw, func(_ target.Raw, e *entry) bool { return e.pass != m.pass })
	}
	clear(m.listed)
	m.listed, m.spare = listed, m.listed
	return gone || len(m.added) > 0 || m.pass == 1 // the first empty listing is news, too
}
