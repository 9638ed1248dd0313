package discovery

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// addressOf is the host:port of what somebody asks about, who may have copied
// the whole URL.
func addressOf(asked string) string {
	if !strings.Contains(asked, "://") {
		return asked
	}
	if u, err := url.Parse(asked); err == nil && u.Host != "" {
		return u.Host
	}
	return asked
}

// mostNearest is how many addresses are offered in place of an unknown one.
const mostNearest = 3

// nearest names the known addresses that take the fewest keystrokes to get from
// an unknown one; none where more than half of it would have to change.
func (s *State) nearest(address string) []string {
	type candidate struct {
		address string
		changes int
	}
	var all []candidate
	d := distance{to: address}
	for i, r := range s.order {
		a := r.Key.Address
		if i > 0 && s.order[i-1].Key.Address == a {
			continue
		}
		if n := d.from(a); 2*n <= max(len(address), len(a)) {
			all = append(all, candidate{a, n})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.changes, b.changes) })
	var names []string
	for _, c := range all[:min(len(all), mostNearest)] {
		names = append(names, c.address)
	}
	return names
}

// distance is Levenshtein's, with one row kept between the calls.
type distance struct {
	to  string
	row []int
}

// longestAddress bounds what a long question costs: no host name is longer.
const longestAddress = 260

func (d *distance) from(s string) int {
	if len(s) > longestAddress || len(d.to) > longestAddress {
		return len(s) + len(d.to)
	}
	d.row = d.row[:0]
	for j := range len(d.to) + 1 {
		d.row = append(d.row, j)
	}
	for i := range len(s) {
		diagonal := d.row[0]
		d.row[0] = i + 1
		for j := range len(d.to) {
			change := diagonal
			if s[i] != d.to[j] {
				change++
			}
			diagonal = d.row[j+1]
			d.row[j+1] = min(change, d.row[j]+1, d.row[j+1]+1)
		}
	}
	return d.row[len(d.to)]
}
