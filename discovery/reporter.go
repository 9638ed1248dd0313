package discovery

import (
	"log/slog"
	"strings"

	"github.com/mcp-sd/mcp-sd/target"
)

// reporter writes the engine's log: one line when something begins or ends,
// never the same failure again at full rate.
type reporter struct {
	logger *slog.Logger
	kinds  kinds
	failed map[string]*trouble // of parts
	held   map[target.Key]Rule
	write  trouble
	touch  trouble
}

func newReporter(l *slog.Logger) *reporter {
	return &reporter{logger: l, kinds: newKinds(), failed: map[string]*trouble{}, held: map[target.Key]Rule{}}
}

// listing tells of parts that began to fail, fail differently, or recovered: in
// one line for all that fail alike, since a server that is down is one event.
func (r *reporter) listing(src *Source, a Arrival) {
	if src == nil {
		return
	}
	var order, healed []string
	alike := map[string][]target.Part{}
	for _, p := range a.Parts {
		kind := r.kinds.of(p.Err, p.Name)
		begins, over := r.part(a.Source+"\x00"+p.Name, kind)
		switch {
		case begins:
			if alike[kind] == nil {
				order = append(order, kind)
			}
			alike[kind] = append(alike[kind], p)
		case over:
			healed = append(healed, p.Name)
		}
	}
	for _, kind := range order {
		var names []string
		for _, p := range alike[kind] {
			names = append(names, p.Name)
		}
		r.logger.Warn("a source failed; its last good targets are kept", append(parts(a.Source, names), slog.Any("err", alike[kind][0].Err))...)
	}
	if healed != nil {
		r.logger.Info("a source answers again", parts(a.Source, healed)...)
	}
}

// part takes the outcome of one part; one without trouble costs nothing.
func (r *reporter) part(id, kind string) (begins, over bool) {
	t := r.failed[id]
	switch {
	case t == nil && kind == "":
		return false, false
	case t == nil:
		t = &trouble{}
		r.failed[id] = t
	case kind == "":
		delete(r.failed, id)
	}
	return t.news(kind)
}

// named is how many parts one line names.
const named = 20

// parts are the attributes that tell which parts of a source a line is about.
func parts(source string, names []string) []any {
	attrs := []any{slog.String("from", source), slog.String("part", names[0])}
	if len(names) > 1 {
		attrs = append(attrs, slog.Int("parts", len(names)), slog.String("others", strings.Join(names[1:min(len(names), named)], " ")))
	}
	return attrs
}

// step tells what a step changed.
func (r *reporter) step(p *Plan, removals []Removal, out Outcome, err error) {
	for _, gone := range removals {
		r.logger.Info("removed a target", slog.String("target", gone.Target.String()),
			slog.String("from", gone.Source), slog.String("rule", string(gone.Rule)))
	}
	r.holds(p)
	for _, f := range out.Written {
		r.logger.Info("wrote", slog.String("file", f), slog.Int("published", len(p.Want)))
	}
	if out.Failing != nil {
		err = out.Failing
	}
	r.writing(err)
}

// holds names every held target once.
func (r *reporter) holds(p *Plan) {
	now := map[target.Key]Rule{}
	for _, k := range p.kept() {
		if k.Standing != Held {
			continue
		}
		now[k.Key] = k.Rule
		if r.held[k.Key] != k.Rule {
			r.logger.Warn("the guard holds a target: it stays published until it is confirmed gone or its removal is accepted",
				slog.String("target", k.Key.String()), slog.String("from", k.Source), slog.String("rule", string(k.Rule)))
		}
	}
	for key := range r.held {
		if _, still := now[key]; !still {
			r.logger.Info("the guard holds a target no longer", slog.String("target", key.String()))
		}
	}
	r.held = now
}

func (r *reporter) writing(err error) {
	begins, over := r.write.news(r.kinds.of(err, ""))
	if begins {
		r.logger.Error("could not write; the old content stays, and it is tried again", slog.Any("err", err))
	}
	if over {
		r.logger.Info("writing works again")
	}
}

// touching tells of the files' modification times.
func (r *reporter) touching(err error) {
	begins, over := r.touch.news(r.kinds.of(err, ""))
	if begins {
		r.logger.Warn("could not refresh the modification time of an output file", slog.Any("err", err))
	}
	if over {
		r.logger.Info("the output files' modification times are refreshed again")
	}
}
