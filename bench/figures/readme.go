package figures

import (
	"bytes"
	"fmt"
	"os"
)

// Between these lines of the README stand figures of the report.
const (
	readmeBegin = "<!-- figures of BENCHMARKS.md, written by go -C bench run . -->\n"
	readmeEnd   = "<!-- end of figures -->\n"
)

// WriteReadme puts the aims that are to be seen at first sight into the README,
// word for word as the report has them.
func (r *Report) WriteReadme(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(old, []byte(readmeBegin))
	_, after, ends := bytes.Cut(rest, []byte(readmeEnd))
	if !begins || !ends {
		return fmt.Errorf("%s has no place for figures: the lines %q and %q", path, readmeBegin, readmeEnd)
	}
	shown := glance()
	for _, s := range r.Sections {
		for _, a := range s.Aims {
			if a.Shown {
				shown.Row(a.row()...)
			}
		}
	}
	text := fmt.Sprintf("%s%s\n%s\n%s%s", before, readmeBegin, shown.markdown(), readmeEnd, after)
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // part of a repository
}
