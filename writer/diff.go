package writer

import (
	"bytes"
	"errors"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/mcp-sd/mcp-sd/target"
)

// devNull stands for a file that isn't there, as diff and patch have it.
const devNull = "/dev/null"

// Diff says what Publish would come to in the end, as a unified diff per file
// in the order of their paths; it is empty where nothing would change. The
// error joins, per file, why one could not be written; the diff shows the rest.
func (w *Writer) Diff(want []*target.Target) (string, error) {
	if err := w.ensureLoaded(); err != nil {
		return "", err
	}
	w.observe()
	w.assign(want)
	now := w.options.Now()
	var out strings.Builder
	var errs []error
	for _, f := range w.ordered {
		before, after := devNull, f.path
		if f.seen != nil {
			before = f.path
		}
		body, err := w.bodyOf(f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if at := f.deleteAt(); !at.IsZero() && len(f.want) == 0 && !at.After(now) {
			after, body = devNull, nil
		}
		_, hunks, _ := bytes.Cut(diff.Diff(before, f.body, after, body), []byte("\n")) // the first line repeats the names
		out.Write(hunks)
	}
	return out.String(), errors.Join(errs...)
}

// bodyOf is what a file shall contain; nil where it isn't there and shan't be.
func (w *Writer) bodyOf(f *file) ([]byte, error) {
	if !f.wanted && f.seen == nil {
		return nil, nil
	}
	check := f.checkFree
	if f.owned() {
		check = f.replaceable
	}
	if err := check(); err != nil {
		return nil, err
	}
	r, err := render(f.want)
	return r.body, err
}
