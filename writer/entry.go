package writer

import (
	"bytes"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// entry is one target in one file. Its key is the target's own, never written.
type entry struct {
	key    *target.Key
	labels target.Labels
}

func (e entry) compare(o entry) int {
	if c := e.compareKey(o); c != 0 {
		return c
	}
	return labels.Compare(e.labels, o.labels)
}

func (e entry) compareKey(o entry) int {
	if e.key == o.key {
		return 0
	}
	return e.key.Compare(*o.key)
}

func (e entry) equal(o entry) bool { return e.compareKey(o) == 0 && labels.Equal(e.labels, o.labels) }

// canonical sorts entries and drops repetitions; what arrives in order, as it
// does from the engine, costs one look at each.
func canonical(es []entry) []entry {
	if !slices.IsSortedFunc(es, entry.compare) {
		slices.SortFunc(es, entry.compare)
	}
	return slices.CompactFunc(es, entry.equal)
}

func sameEntries(a, b []entry) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || slices.EqualFunc(a, b, entry.equal)
}

// holds reports whether a sorted list has the key.
func holds(es []entry, k target.Key) bool {
	_, ok := slices.BinarySearchFunc(es, k, func(e entry, k target.Key) int { return e.key.Compare(k) })
	return ok
}

// difference is what a file's entries and its wanted ones do not share.
type difference struct {
	onlyOld, onlyNew, changed, health func(e entry)
}

// walk goes through two sorted lists together and calls what it finds for:
// entries whose key only one list has, and the new entry where labels differ,
// told apart by whether health is all that differs.
func (d difference) walk(old, want []entry) {
	if sameEntries(old, want) {
		return
	}
	i, j := 0, 0
	for i < len(old) || j < len(want) {
		switch c := compareAt(old, i, want, j); {
		case c < 0:
			d.onlyOld(old[i])
			i++
		case c > 0:
			d.onlyNew(want[j])
			j++
		default:
			if !labels.Equal(old[i].labels, want[j].labels) {
				d.relabelled(old[i], want[j])
			}
			i++
			j++
		}
	}
}

func (d difference) relabelled(old, want entry) {
	if onlyHealth(old.labels, want.labels) {
		d.health(want)
		return
	}
	d.changed(want)
}

func compareAt(old []entry, i int, want []entry, j int) int {
	switch {
	case i == len(old):
		return 1
	case j == len(want):
		return -1
	}
	return old[i].compareKey(want[j])
}

// onlyHealth reports whether two different label sets differ in the health
// label alone.
func onlyHealth(a, b target.Labels) bool {
	var bufa, bufb [512]byte
	return bytes.Equal(a.BytesWithoutLabels(bufa[:0], target.HealthLabel), b.BytesWithoutLabels(bufb[:0], target.HealthLabel))
}

// change says what has to be written to a file, if anything.
type change int

const (
	nothing change = iota
	health         // no more than that some targets are up or down now
	content
)

// compareEntries tells how old has to change to become want, and whether old
// has every key of want already.
func compareEntries(old, want []entry) (c change, complete bool) {
	complete = true
	difference{
		onlyOld: func(entry) { c = content },
		onlyNew: func(entry) { c, complete = content, false },
		changed: func(entry) { c = content },
		health:  func(entry) { c = max(c, health) },
	}.walk(old, want)
	return c, complete
}

// union adds to want the kept entries, none of whose keys want has.
func union(want, kept []entry) []entry {
	if len(kept) == 0 {
		return want
	}
	return canonical(slices.Concat(want, kept))
}
