// Package cli is what the command line shows to people: progress while a pass
// runs, and a summary at its end. It reads what the engine reports and decides
// nothing.
package cli

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/mattn/go-isatty"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/target"
)

// Terminal reports whether w is a terminal, so that somebody is looking.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Progress shows on one line of a terminal how far a pass has come.
type Progress struct {
	w     io.Writer
	shown bool
}

// NewProgress shows progress on w where that is a terminal, and nothing
// elsewhere.
func NewProgress(w io.Writer) *Progress {
	if !Terminal(w) {
		w = nil
	}
	return &Progress{w: w}
}

// Show replaces the line.
func (p *Progress) Show(now discovery.Progress) {
	if p.w == nil {
		return
	}
	p.shown = true
	if now.Total > 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%s %d/%d", now.Step, now.Done, now.Total)
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", now.Step)
}

// Clear takes the line away.
func (p *Progress) Clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// Summary tells what a pass did and what it waits for.
func Summary(w io.Writer, r *discovery.Report) {
	fmt.Fprintf(w, "%d targets published: %d added, %d removed, %d relabelled, %d held\n",
		len(r.Plan.Want), r.Added, r.Removed, r.Changed, r.Held)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nSOURCE\tTYPE\tUP\tPUBLISHED\tPENDING\tLINGERING\tHELD\tDROPPED")
	for _, s := range r.View.Sources {
		t := tally(r.View, s.Name)
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", s.Name, s.Type, yes(s.Up),
			t[discovery.Published], t[discovery.Pending], t[discovery.Lingering], t[discovery.Held], t[discovery.Dropped])
	}
	tw.Flush()
	for _, f := range r.Failed {
		fmt.Fprintf(w, "\nsource %s, %s failed, its last good targets were kept: %s\n", f.Source, printable(f.Part), printable(f.Err.Error()))
	}
	changes(w, r.Changes)
	notable(w, r.Notable)
	for _, f := range r.Outcome.Written {
		fmt.Fprintf(w, "\nwrote %s\n", f)
	}
	if r.Err != nil {
		fmt.Fprintf(w, "\nnot everything could be written: %v\n", r.Err)
	}
}

func tally(v *discovery.View, source string) map[discovery.Standing]int {
	for _, t := range v.Tallies {
		if t.Source == source {
			return t.Standing
		}
	}
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// mostNotable bounds each list of targets that a summary names one by one.
const mostNotable = 20

// changes names the targets that are new, or have other labels.
func changes(w io.Writer, all []discovery.Change) {
	if len(all) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nCHANGE\tTARGET\tENVIRONMENT\tREGION\tVERSION\tWHY")
	for _, c := range all[:min(len(all), mostNotable)] {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", c.What, printable(c.Target.String()), label(c.Labels, target.EnvironmentName),
			label(c.Labels, target.RegionName), label(c.Labels, target.VersionName), c.Rule)
	}
	tw.Flush()
	more(w, len(all))
}

func more(w io.Writer, n int) {
	if n > mostNotable {
		fmt.Fprintf(w, "and %d more\n", n-mostNotable)
	}
}

// notable names the targets that are not simply published and up, with the
// reason.
func notable(w io.Writer, notes []discovery.Note) {
	if len(notes) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nTARGET\tSTATE\tHEALTH\tWHY")
	for _, n := range notes[:min(len(notes), mostNotable)] {
		why := string(n.Rule)
		if n.Probe != "" {
			why += "; last probe: " + n.Probe
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", printable(n.Target.String()), n.Standing, n.Verdict, printable(why))
	}
	tw.Flush()
	more(w, len(notes))
}
