package web

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/discovery"
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// functions are what the templates call. They give text: escaping is the
// templates' own.
func functions() template.FuncMap {
	return template.FuncMap{
		"ago":     ago,
		"span":    span,
		"took":    took,
		"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"count":   count,
		"plural":  plural,
		"dash":    dash,
		"pairs":   pairs,
		"tone":    tone,
		"leaving": leaving,
	}
}

// ago is how long before now something was.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	if d := now.Sub(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "just now"
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 0:
		return "0s"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return two(s/60, "m", s%60, "s")
	case s < 86400:
		return two(s/3600, "h", s/60%60, "m")
	}
	return two(s/86400, "d", s/3600%24, "h")
}

func two(a int64, unit string, b int64, smaller string) string {
	if b == 0 {
		return fmt.Sprintf("%d%s", a, unit)
	}
	return fmt.Sprintf("%d%s %d%s", a, unit, b, smaller)
}

// took is how long a probe took, as Prometheus shows it.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3gs", d.Seconds())
}

// count separates thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return count(n) + " " + word + "s"
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// pairs are labels in their order.
func pairs(l target.Labels) []labels.Label {
	var all []labels.Label
	l.Range(func(lb labels.Label) { all = append(all, lb) })
	return all
}

// leaving names the state of a target that the next pass takes out.
func leaving(s discovery.Standing) string {
	if s == "" {
		return "leaving"
	}
	return string(s)
}

// tone is the colour of a word: of a state, a health, a class of probe.
func tone(word any) string {
	switch fmt.Sprint(word) {
	case string(discovery.Published), string(health.Up), "ok":
		return "good"
	case string(health.Down), string(discovery.Dropped), "failing":
		return "bad"
	case string(discovery.Held), string(discovery.Lingering), "waiting":
		return "warn"
	case string(discovery.Pending):
		return "info"
	case string(health.Unknown), "":
		return "none"
	}
	return "bad" // a class of failure
}

// version is the one published, under whichever name.
func version(l target.Labels) string {
	if v := l.Get(target.VersionName); v != "" {
		return v
	}
	return l.Get(target.VersionLabel)
}

// fileName is the last element of a path.
func fileName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
