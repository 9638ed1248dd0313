package writer

import (
	"errors"
)

// Touch refreshes the modification time of each file whose every source
// answered in the pass just done (answered holds all sources), at most once a
// minute: Prometheus does not read the file for that, and
// prometheus_sd_file_mtime_seconds becomes a dead man's switch (contract §7).
// A file without targets counts when all sources answered; one that could not
// be written does not, for what it says is not known to be true.
func (w *Writer) Touch(answered map[string]bool) error {
	if w.options.DryRun {
		return nil
	}
	now := w.options.Now()
	var errs []error
	for _, f := range w.ordered {
		if !f.owned() || f.seen == nil || f.stale || f.trouble.err != nil || !f.answered(answered) {
			continue
		}
		if now.Sub(f.stored) < touchEvery || now.Sub(f.refreshed) < touchEvery {
			continue
		}
		if info, err := lookAt(f.path); err != nil || !untouched(f.seen, info) {
			continue // somebody else's doing: the next Publish sees to it
		}
		if err := w.fs.chtimes(f.path, now); err != nil {
			errs = append(errs, stepError(f.path, stepTouch, f.dir.path, err))
			continue
		}
		f.refreshed = now
		if info, err := lookAt(f.path); err == nil && info != nil {
			f.seen = info
		}
	}
	return errors.Join(errs...)
}

func (f *file) answered(by map[string]bool) bool {
	if len(f.disk) == 0 {
		for _, ok := range by {
			if !ok {
				return false
			}
		}
		return true
	}
	for _, s := range f.sources {
		if !by[s] {
			return false
		}
	}
	return true
}
