package figures

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Section is what one scenario found out.
type Section struct {
	Title  string
	Text   string // how it was measured
	Aims   []Aim
	Tables []Table
	Plots  []Plot
	Notes  []string // what is to be said about the figures
}

// Plot is a drawing.
type Plot struct {
	Name string // of its file, without .svg
	Alt  string // what it shows, for those who cannot see it
	SVG  []byte
}

// Report is a whole run.
type Report struct {
	Machine  [][2]string // what was measured on, as name and value
	Sections []Section
	Prose    string // what a person wrote about it
}

// Err joins all figures that no noise explains. In a short run each contestant
// has one turn, and whatever else the machine does may fall into it alone: only
// what is counted can be wrong there.
func (r *Report) Err(short bool) error {
	var errs []error
	for _, s := range r.Sections {
		for _, a := range s.Aims {
			if a.Counted || !short {
				errs = append(errs, a.Err())
			}
		}
	}
	return errors.Join(errs...)
}

// Write writes the report to path, and its plots into the folder beside it.
func (r *Report) Write(path, plots string) error {
	dir := filepath.Join(filepath.Dir(path), plots)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // part of a repository
		return err
	}
	for _, s := range r.Sections {
		for _, p := range s.Plots {
			if err := os.WriteFile(filepath.Join(dir, p.Name+".svg"), p.SVG, 0o644); err != nil { //nolint:gosec // as above
				return err
			}
		}
	}
	return os.WriteFile(path, []byte(r.markdown(plots)), 0o644) //nolint:gosec // as above
}

const intro = `# Benchmarks

What mcp-sd costs and how fast it is, beside what else there is for the same job. All of it was measured by one command, in one run, in which the peers took turns with mcp-sd on the same machine:

` + "```sh\ngo -C bench run .\n```" + `

It needs Go, Linux and nothing else: Consul, Prometheus and consul-template are compiled from pinned modules (the first time takes up to half an hour, most of it Consul), run on loopback, and end with it. It takes about a quarter of an hour and rewrites this page and the figures in the README; ` + "`-short`" + ` takes one, and only checks that nothing is broken. Compare ratios, not times: those depend on the machine.

`

func (r *Report) markdown(plots string) string {
	var b strings.Builder
	b.WriteString(intro)
	for _, m := range r.Machine {
		fmt.Fprintf(&b, "- %s: %s\n", m[0], m[1])
	}
	b.WriteString("\n## At a glance\n\n")
	all := glance()
	for _, s := range r.Sections {
		for _, a := range s.Aims {
			all.Row(a.row()...)
		}
	}
	b.WriteString(all.markdown())
	for _, s := range r.Sections {
		s.markdown(&b, plots)
	}
	if r.Prose != "" {
		b.WriteString("\n" + strings.TrimSpace(r.Prose) + "\n")
	}
	return b.String()
}

// glance is the table of aims.
func glance() *Table { return &Table{Head: []string{"", "measured", "should be", "met"}} }

func (s *Section) markdown(b *strings.Builder, plots string) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Title, s.Text)
	for _, p := range s.Plots {
		fmt.Fprintf(b, "\n![%s](%s/%s.svg)\n", p.Alt, plots, p.Name)
	}
	for i := range s.Tables {
		b.WriteString("\n" + s.Tables[i].markdown())
	}
	for _, n := range s.Notes {
		b.WriteString("\n" + n + "\n")
	}
}

// Summary writes the aims of a section for a terminal.
func (s *Section) Summary() string {
	var b strings.Builder
	for _, a := range s.Aims {
		mark := "ok    "
		if !a.Met() {
			mark = "missed"
		}
		fmt.Fprintf(&b, "%s  %s: %s (%s)\n", mark, a.What, a.format(a.Got), a.bound())
	}
	return b.String()
}
