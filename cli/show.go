package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/target"
)

// Targets prints targets as a table.
func Targets(w io.Writer, ts []discovery.TargetView) {
	out := bufio.NewWriterSize(w, 64<<10) // the table is written cell by cell
	defer out.Flush()
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "TARGET\tSTATE\tHEALTH\tENVIRONMENT\tREGION\tVERSION\tSOURCE\tWHY")
	for _, t := range ts {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(t.URL), t.State, t.Health,
			label(t.Labels, target.EnvironmentName), label(t.Labels, target.RegionName), label(t.Labels, target.VersionName),
			dash(t.Source), printable(why(t)))
	}
	tw.Flush()
}

func label(l labels.Labels, name string) string { return dash(printable(l.Get(name))) }

// printable is text as a terminal may have it. Labels and the answers of
// endpoints were discovered: what is in them must not move a cursor, hide
// anything, or end a cell of a table.
func printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func why(t discovery.TargetView) string {
	if t.LastFail == "" {
		return string(t.Rule)
	}
	return string(t.Rule) + "; last probe: " + t.LastFail
}

// JSON prints anything for scripts.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Explain prints what is known of an address.
func Explain(w io.Writer, x discovery.Explanation) {
	for _, t := range x.Targets {
		explainTarget(w, t)
	}
	for _, d := range x.Dropped {
		what := "the target"
		if d.Label != "" {
			what = "its label " + printable(d.Label)
		}
		fmt.Fprintf(w, "%s: %s was left out (%s): %s\n", printable(x.Address), what, d.Reason, printable(d.Detail))
	}
	for _, r := range x.Removed {
		fmt.Fprintf(w, "%s was removed at %s by the rule: %s%s\n  source %s stopped listing it at %s\n  labels %s\n",
			printable(r.Target.String()), stamp(r.At), r.Rule, by(r.By), dash(r.Source), stamp(r.Unlisted), r.Labels)
	}
	if len(x.Targets)+len(x.Dropped)+len(x.Removed) > 0 {
		return
	}
	fmt.Fprintf(w, "%s: no source lists it", printable(x.Address))
	if len(x.Nearest) > 0 {
		fmt.Fprintf(w, "; nearest: %s", printable(strings.Join(x.Nearest, ", ")))
	}
	fmt.Fprintln(w)
	if len(x.Awaiting) > 0 {
		fmt.Fprintf(w, "not all sources have answered: %s\n", strings.Join(x.Awaiting, ", "))
	}
}

func explainTarget(w io.Writer, t discovery.TargetExplained) {
	fmt.Fprintf(w, "%s\n  state   %s: %s\n", printable(t.URL), t.State, t.Rule)
	if !t.Since.IsZero() {
		fmt.Fprintf(w, "  since   %s\n", stamp(t.Since))
	}
	fmt.Fprintf(w, "  health  %s\n", t.Health)
	for _, p := range t.Probes {
		result := p.Class.String()
		if p.Detail != "" {
			result += ": " + printable(p.Detail)
		}
		fmt.Fprintf(w, "    %s  %6s  %s\n", stamp(p.At), p.Took.Round(time.Millisecond), result)
	}
	explainMCP(w, t.MCP)
	for _, l := range t.ListedBy {
		fmt.Fprintf(w, "  listed by source %s, part %s\n", l.Source, printable(l.Part))
		lines(w, "    before relabelling", l.Before)
		lines(w, "    after relabelling", l.After)
	}
	if len(t.ListedBy) == 0 {
		fmt.Fprintln(w, "  no source lists it now")
	}
	lines(w, "  labels", t.Labels)
	for _, f := range t.Files {
		fmt.Fprintf(w, "  file    %s\n", f)
	}
}

// explainMCP tells what is known of a target as an MCP server, where its source
// asks.
func explainMCP(w io.Writer, m *discovery.MCPView) {
	if m == nil {
		return
	}
	fmt.Fprintf(w, "  mcp     %s", dash(m.Evidence))
	for _, fact := range []struct{ is, text string }{
		{"server", m.Name}, {"version", m.Version}, {"protocol", m.Protocol},
	} {
		if fact.text != "" {
			fmt.Fprintf(w, "  %s %s", fact.is, printable(fact.text))
		}
	}
	fmt.Fprintln(w)
	switch {
	case m.Asked.IsZero():
		fmt.Fprintln(w, "    not asked yet")
	case m.LastFail == "":
		fmt.Fprintf(w, "    %s  asked who it is; again after %s\n", stamp(m.Asked), stamp(m.AskedNext))
	default:
		fmt.Fprintf(w, "    %s  asked who it is; again after %s: %s\n", stamp(m.Asked), stamp(m.AskedNext), printable(m.LastFail))
	}
}

func lines(w io.Writer, title string, l labels.Labels) {
	if l.IsEmpty() {
		return
	}
	fmt.Fprintln(w, title)
	l.Range(func(lb labels.Label) { fmt.Fprintf(w, "      %s=%q\n", lb.Name, lb.Value) })
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.Format(time.RFC3339)
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " (accepted by " + printable(who) + ")"
}

// Kept prints the targets that were let through.
func Kept(w io.Writer, kept []discovery.KeptTarget, done string) {
	if len(kept) == 0 {
		fmt.Fprintln(w, "The guard holds nothing.")
		return
	}
	for _, k := range kept {
		fmt.Fprintf(w, "%s %s (source %s, %s)\n", done, printable(k.Key.String()), dash(k.Source), k.Rule)
	}
}
