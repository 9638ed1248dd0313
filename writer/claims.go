package writer

import (
	"fmt"
	"slices"
)

// claim enters names that are not ours yet into the manifest, before anything
// is renamed to them, and returns the files that may be written.
func (p *pass) claim(due []*file) []*file {
	for _, f := range due {
		if f.owned() {
			continue
		}
		if err := f.checkFree(); err != nil {
			p.fail(f, err)
			continue
		}
		f.claim = &claim{Name: f.name, Layout: f.output.layout}
		f.dir.manifest.owned[f.name] = f.claim
		f.dir.manifest.dirty = true
		p.fresh[f] = true
	}
	if len(p.fresh) > 0 {
		p.saveClaims()
	}
	return slices.DeleteFunc(due, func(f *file) bool { return p.failed[f] })
}

// checkFree says no where something else has the name.
func (f *file) checkFree() error {
	info, err := lookAt(f.path)
	switch {
	case err != nil:
		return stepError(f.path, stepStage, f.dir.path, err)
	case info != nil:
		return foreignError(f.path)
	}
	return nil
}

func foreignError(path string) error {
	return fmt.Errorf("%s exists but was not written by mcp-sd: move it away, or take it over with `mcp-sd adopt %s`", path, path)
}

// saveClaims makes the new claims durable, or takes them back.
func (p *pass) saveClaims() {
	for _, d := range p.dirs {
		err := p.saveManifest(d)
		if err == nil {
			continue
		}
		p.errs = append(p.errs, err)
		if !d.manifest.dirty {
			continue // readable, if not yet durable
		}
		for f := range p.fresh {
			if f.dir == d {
				p.unclaim(f)
				p.giveUp(f, err)
			}
		}
	}
}

func (p *pass) unclaim(f *file) {
	delete(f.dir.manifest.owned, f.name)
	f.dir.manifest.dirty = true
	f.claim = nil
}
