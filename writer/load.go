package writer

import (
	"errors"
	"slices"

	"github.com/mcp-sd/mcp-sd/target"
)

// Load reads what is published: every file of ours in the output directories
// and in those of earlier configurations, by path, with each target's labels,
// the __meta_mcp_sd_* ones included. A missing file has no entry. An error
// means that some file or manifest could not be read, so that what is
// published is not wholly known; the map holds the rest.
//
// It may be called again, and must be after Adopt by another process.
func (w *Writer) Load() (map[string][]target.Target, error) {
	err := w.load()
	w.show()
	published := map[string][]target.Target{}
	for _, f := range w.ordered {
		if !f.owned() || f.seen == nil {
			continue
		}
		ts := make([]target.Target, len(f.disk))
		for i, e := range f.disk {
			ts[i] = target.Target{Key: *e.key, Labels: e.labels, Source: e.labels.Get(target.SourceLabel)}
		}
		published[f.path] = ts
	}
	return published, err
}

// Lost reports whether, at the latest Load, a file of ours was missing or could
// not be understood: what it held is not known. One that was left without a
// target held none.
func (w *Writer) Lost() bool {
	return slices.ContainsFunc(w.ordered, func(f *file) bool {
		return f.owned() && (f.broken || f.seen == nil && f.claim.EmptySince.IsZero())
	})
}

// Intact reports whether every file of ours is as it was last seen, as far as a
// stat can tell: one that is not is put back by the next Publish.
func (w *Writer) Intact() bool {
	return !slices.ContainsFunc(w.ordered, func(f *file) bool {
		info, err := lookAt(f.path)
		return f.owned() && (err != nil || info == nil != (f.seen == nil) || info != nil && !untouched(f.seen, info))
	})
}

func (w *Writer) load() error {
	var errs []error
	for _, d := range w.dirs {
		if err := w.loadManifest(d); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, w.loadFiles(d)...)
	}
	err := errors.Join(errs...)
	w.loaded = err == nil
	return err
}

func (w *Writer) loadFiles(d *directory) []error {
	var errs []error
	w.forget(func(f *file) bool { return f.dir == d && d.manifest.owned[f.name] == nil })
	names := make([]string, 0, len(d.manifest.owned))
	for name := range d.manifest.owned {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := w.file(d, name)
		f.claim = d.manifest.owned[name]
		f.output = w.withLayout(d, f.claim.Layout)
		if err := w.look(f); err != nil && !errors.Is(err, errIrregular) {
			errs = append(errs, err)
		}
	}
	w.assigned = false // forgotten files may be wanted
	return errs
}

// withLayout returns the output that has a layout in a directory.
func (w *Writer) withLayout(d *directory, layout string) *output {
	for _, o := range w.outputs {
		if o.dir == d && o.layout == layout {
			return o
		}
	}
	return nil
}

// observe notices what others did to our files since the last look.
func (w *Writer) observe() {
	for _, f := range w.ordered {
		if !f.owned() {
			continue
		}
		// What can't be read shall be written, and that error says more.
		_ = w.look(f)
	}
}
