// Package figures holds what the benchmarks measured, says how it compares
// with what it should be, and writes it as Markdown.
//
// A figure of one machine says little on another: what is compared are ratios
// of things that ran side by side. The few absolute bounds are for people to
// read; only a broken ratio fails a run.
package figures

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sample is a number of measurements of the same thing, in the order in which
// they were made.
type Sample []float64

// Seconds appends a duration.
func (s *Sample) Seconds(d time.Duration) { *s = append(*s, d.Seconds()) }

// Quantile is the nearest-rank quantile: a value that was really measured.
// It is NaN where nothing was.
func (s Sample) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Median is the middle one.
func (s Sample) Median() float64 { return s.Quantile(0.5) }

// P95 is exceeded by one in twenty.
func (s Sample) P95() float64 { return s.Quantile(0.95) }

// Time writes seconds as people read them.
func Time(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "–"
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case seconds < 10e-3:
		return fmt.Sprintf("%.1f ms", seconds*1e3)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	case seconds < 10:
		return fmt.Sprintf("%.2f s", seconds)
	default:
		return fmt.Sprintf("%.1f s", seconds)
	}
}

// Bytes writes a size as people read it.
func Bytes(n float64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%.0f B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.0f KiB", n/(1<<10))
	default:
		return fmt.Sprintf("%.0f MiB", n/(1<<20))
	}
}

// Megabytes writes a size in the unit in which limits are given.
func Megabytes(n float64) string { return fmt.Sprintf("%.0f MB", n/1e6) }

// Count writes a number with commas between thousands.
func Count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Table is one table of a section.
type Table struct {
	Head []string
	Rows [][]string
}

// Row appends a row.
func (t *Table) Row(cells ...string) { t.Rows = append(t.Rows, cells) }

func (t *Table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, r := range t.Rows {
		line(r)
	}
	return b.String()
}
