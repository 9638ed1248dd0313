package config

import (
	"slices"
	"strings"
)

// nearest returns the one among words that got was probably meant to be, or "".
func nearest(got string, words []string) string {
	best, bestDistance := "", max(1, len(got)/3)+1 // up to a third of the letters may be wrong
	for _, w := range words {
		if plainWord(w) == plainWord(got) {
			return w
		}
		if d := distance(got, w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// plainWord takes out what people vary without noticing: case, - for _, a plural s.
func plainWord(s string) string {
	s = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
	return strings.TrimSuffix(s, "s")
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that make b out of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // no key is that long
		return 64
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}

// didYouMean is the hint of an unknown key.
func didYouMean(key string, legal []string) string {
	if near := nearest(key, legal); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(legal) == 0 {
		return ""
	}
	legal = slices.Sorted(slices.Values(legal))
	return "; known here: " + strings.Join(legal, ", ")
}
