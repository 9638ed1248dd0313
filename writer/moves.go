package writer

import "github.com/mcp-sd/mcp-sd/target"

// moves are the targets that leave a file, by where they go. A target is in
// its new file before it leaves the old one (contract §7).
type moves struct {
	to map[target.Key][]*file // every wanted file of a key that leaves some file
}

// findMoves returns nil where nothing that leaves a file goes to another.
func (w *Writer) findMoves() *moves {
	m := moves{to: map[target.Key][]*file{}}
	for _, f := range w.ordered {
		f.leaving(func(e entry) { m.to[*e.key] = nil })
	}
	if len(m.to) == 0 {
		return nil
	}
	for _, f := range w.ordered {
		for _, e := range f.want {
			if files, leaves := m.to[*e.key]; leaves {
				m.to[*e.key] = append(files, f)
			}
		}
	}
	return &m
}

// leaving calls visit for every entry whose key is no longer wanted in f.
func (f *file) leaving(visit func(entry)) {
	ignore := func(entry) {}
	difference{onlyOld: visit, onlyNew: ignore, changed: ignore, health: ignore}.walk(f.disk, f.want)
}

// kept are the entries that f must keep for now, although they are not wanted
// there, because the file that they go to does not have them yet.
func (w *Writer) kept(f *file, m *moves) []entry {
	if m == nil {
		return nil
	}
	unfinished := f.old() && !w.finished(f.output)
	var kept []entry
	f.leaving(func(e entry) {
		to := m.destinations(*e.key, f.output)
		if len(to) > 0 && (unfinished || !allHold(to, *e.key)) {
			kept = append(kept, e)
		}
	})
	return kept
}

// destinations are the files that a key goes to from a file of output o: those
// of the same output, or of any where that has none.
func (m *moves) destinations(k target.Key, o *output) []*file {
	all := m.to[k]
	var same []*file
	for _, f := range all {
		if f.output == o {
			same = append(same, f)
		}
	}
	if len(same) > 0 {
		return same
	}
	return all
}

func allHold(files []*file, k target.Key) bool {
	for _, f := range files {
		if !holds(f.disk, k) {
			return false
		}
	}
	return true
}

// finished reports whether every file of an output (of all outputs for nil) is
// there with all its targets: after a change of path or shards, no old file
// loses one to another before that (contract §7).
func (w *Writer) finished(o *output) bool {
	for _, f := range w.ordered {
		if f.wanted && (o == nil || f.output == o) && (f.seen == nil || !f.complete) {
			return false
		}
	}
	return true
}
