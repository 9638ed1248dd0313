package writer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

// pass is one Publish.
type pass struct {
	*Writer
	ctx       context.Context
	now       time.Time
	immediate bool // nothing is deferred
	failed    map[*file]bool
	fresh     map[*file]bool // claimed in this pass
	published Published
	errs      []error
}

func (p *pass) run() {
	p.failed, p.fresh = map[*file]bool{}, map[*file]bool{}
	due := p.due()
	p.resync()
	if len(due) > 0 {
		due = p.claim(due)
		p.write(due, p.findMoves())
	}
	p.deleteEmpty()
	p.record()
	p.report()
}

// due are the files to write now. A change of health alone waits, unless a
// change of another kind is written anyhow: then all go along (contract §3).
func (p *pass) due() []*file {
	flush := p.immediate
	for _, f := range p.ordered {
		f.compare()
		if f.pending == nothing && !f.unsynced && f.deleteAt().IsZero() {
			f.trouble.clear() // what failed is no longer wanted
		}
		switch {
		case f.pending != health:
			f.healthSince = time.Time{}
		case f.healthSince.IsZero():
			f.healthSince = p.now
		}
		if f.pending == content && !f.blocked && !f.ready().After(p.now) {
			flush = true
		}
	}
	var due []*file
	for _, f := range p.ordered {
		f.blocked = false
		if f.pending != nothing && (p.immediate || !f.dueAt(flush).After(p.now)) {
			due = append(due, f)
		}
	}
	return due
}

// write brings the due files to what they shall hold. Those that lose nothing
// to another file come first; the others then lose only what has arrived
// elsewhere, and in a second round the rest, so that even targets that change
// places are never in no file.
func (p *pass) write(due []*file, m *moves) {
	order := map[*file]int{}
	for _, f := range due {
		order[f] = min(len(p.kept(f, m)), 1)
	}
	slices.SortStableFunc(due, func(a, b *file) int { return order[a] - order[b] })
	for range 2 {
		for _, f := range due {
			if p.ctx.Err() != nil {
				p.errs = append(p.errs, fmt.Errorf("publishing: %w", p.ctx.Err()))
				return
			}
			if !p.failed[f] {
				p.put(f, m)
			}
		}
		if m == nil {
			return
		}
	}
}

// put writes one file, as far as m allows.
func (p *pass) put(f *file, m *moves) {
	kept := p.kept(f, m)
	goal := union(f.want, kept)
	f.blocked = len(kept) > 0
	if sameEntries(f.disk, goal) && f.seen != nil && !f.stale {
		if !f.unsynced {
			f.trouble.clear() // what failed before is not tried now
		}
		return
	}
	r, err := render(goal)
	if err != nil {
		p.fail(f, fmt.Errorf("rendering %s: %w", f.path, err))
		return
	}
	if f.seen != nil && !f.stale && bytes.Equal(r.body, f.body) {
		f.hasNow(goal, r) // the same list by other means: nothing to write
		return
	}
	p.store(f, goal, r)
}

func (p *pass) store(f *file, goal []entry, r rendering) {
	if err := f.replaceable(); err != nil {
		p.fail(f, err)
		return
	}
	d := draft{dir: f.dir, path: f.path, body: r.body, mode: 0o644, gid: -1, check: checkFile(len(goal))}
	if f.output != nil {
		d.mode, d.gid = f.output.mode, f.output.gid
	}
	info, err := p.fs.store(d)
	if info != nil {
		f.seen, f.stale, f.unsynced = info, false, err != nil
		f.stored, f.changedAt = p.now, p.now
		f.hasNow(goal, r)
		p.published.Written = append(p.published.Written, f.path)
	}
	if err != nil {
		if info == nil && p.fresh[f] {
			p.unclaim(f) // should somebody else put a file there meanwhile, it is theirs
		}
		p.fail(f, err)
		return
	}
	f.trouble.clear()
	p.options.Metrics.written()
}

// hasNow records what the file holds.
func (f *file) hasNow(es []entry, r rendering) {
	f.disk, f.body, f.sources, f.hash = es, r.body, r.sources, r.hash
	f.compare()
}

func (p *pass) fail(f *file, err error) {
	p.errs = append(p.errs, err)
	p.giveUp(f, err)
}

// giveUp leaves f for a later pass.
func (p *pass) giveUp(f *file, err error) {
	p.failed[f] = true
	f.trouble.note(err, p.now)
	p.options.Metrics.failed()
}

// resync tries again to make a rename durable.
func (p *pass) resync() {
	for _, f := range p.ordered {
		if !f.unsynced || !p.immediate && f.trouble.retryAt.After(p.now) {
			continue
		}
		if err := p.fs.syncDir(f.dir.path); err != nil {
			p.fail(f, stepError(f.path, stepSyncDir, f.dir.path, err))
			continue
		}
		f.unsynced = false
		f.trouble.clear()
	}
}
