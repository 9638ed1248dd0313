package writer

import (
	"errors"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// deleteEmpty deletes what has been [] for 24 h (contract §7).
func (p *pass) deleteEmpty() {
	for _, f := range p.ordered {
		if at := f.deleteAt(); at.IsZero() || at.After(p.now) || !p.immediate && f.trouble.retryAt.After(p.now) {
			continue
		}
		if err := p.fs.remove(f.path); err != nil {
			p.fail(f, stepError(f.path, stepRemove, f.dir.path, err))
			continue
		}
		f.seen, f.body = nil, nil
		p.published.Removed = append(p.published.Removed, f.path)
	}
}

// deleteAt is when an empty file goes; zero: it stays.
func (f *file) deleteAt() time.Time {
	if !f.owned() || f.wanted || f.seen == nil || f.stale || len(f.disk) > 0 || f.claim.EmptySince.IsZero() {
		return time.Time{}
	}
	return f.claim.EmptySince.Add(emptyKept)
}

// record brings the manifests up to date with what happened. A failure is no
// harm before the next start, and is tried again.
func (p *pass) record() {
	for _, f := range p.ordered {
		if f.owned() {
			p.recordFile(f)
		}
	}
	p.forget(func(f *file) bool { return !f.owned() && !f.wanted })
	for _, d := range p.dirs {
		if !p.immediate && d.saving.retryAt.After(p.now) {
			continue
		}
		if err := p.saveManifest(d); err != nil {
			d.saving.note(err, p.now)
			p.errs = append(p.errs, err)
			continue
		}
		d.saving.clear()
	}
}

func (p *pass) recordFile(f *file) {
	c := *f.claim
	switch {
	case f.wanted || f.seen == nil || len(f.disk) > 0 || f.stale:
		c.EmptySince = time.Time{}
	case c.EmptySince.IsZero() || c.EmptySince.After(p.now):
		c.EmptySince = p.now.UTC().Truncate(time.Second)
	}
	if f.output != nil && f.pending == nothing {
		c.Layout = f.output.layout
	}
	if c != *f.claim {
		*f.claim = c
		f.dir.manifest.dirty = true
	}
	if f.seen == nil && !f.wanted && f.dir.present() {
		p.unclaim(f)
	}
}

// report fills in what is behind, what is wrong, and when to come back.
func (p *pass) report() {
	var failing []error
	slices.Sort(p.published.Written)
	p.published.Written = slices.Compact(p.published.Written)
	for _, f := range p.ordered {
		failing = append(failing, f.trouble.err)
		p.behind(f)
		if f.pending != nothing && !(f.blocked && f.trouble.err == nil) {
			p.comeBack(later(f.dueAt(false), p.now))
		}
		if f.unsynced {
			p.comeBack(f.trouble.retryAt)
		}
		if at := f.deleteAt(); !at.IsZero() {
			p.comeBack(later(at, f.trouble.retryAt))
		}
	}
	for _, d := range p.dirs {
		failing = append(failing, d.saving.err)
		if d.saving.err != nil {
			p.comeBack(d.saving.retryAt)
		}
	}
	p.published.Failing = joined(failing)
}

// joined is what failed, each failure once: that of a folder is one of all its
// files.
func joined(errs []error) error {
	told := map[string]bool{}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool {
		if err == nil || told[err.Error()] {
			return true
		}
		told[err.Error()] = true
		return false
	})...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p *pass) comeBack(at time.Time) {
	if next := p.published.NextAt; next.IsZero() || at.Before(next) {
		p.published.NextAt = at
	}
}

func (p *pass) behind(f *file) {
	if f.pending == nothing {
		return
	}
	late := func(e entry) {
		if p.published.Behind == nil {
			p.published.Behind = map[target.Key]bool{}
		}
		p.published.Behind[*e.key] = true
	}
	difference{onlyOld: late, onlyNew: late, changed: late, health: late}.walk(f.disk, f.want)
}
