package writer

import (
	"slices"

	"github.com/mcp-sd/mcp-sd/target"
)

// family is the files of one name, one per shard.
type family struct {
	files []*file
	pass  uint64 // the latest assignment that wanted it
}

// assign sets what every file shall hold. What is wanted as it was the last
// time costs one comparison per target.
func (w *Writer) assign(want []*target.Target) {
	if w.assigned && slices.EqualFunc(w.prev, want, equalTargets) {
		return
	}
	w.pass++
	w.assigned = true
	w.prev = append(w.prev[:0], want...) // a copy: the caller may go on with its own
	for _, f := range w.ordered {
		f.next, f.wanted = nil, false
	}
	for _, o := range w.outputs {
		if o.meta != nil {
			o.meta.nextPass()
		}
		if !o.tmpl.fields {
			w.family(o, &target.Target{}, nil)
		}
	}
	var name []byte
	for _, t := range want {
		for _, o := range w.outputs {
			if o.selects(t) {
				name = w.enter(o, t, name)
			}
		}
	}
	for _, f := range w.ordered {
		f.shallHold(canonical(f.next))
	}
}

func equalTargets(a, b *target.Target) bool { return a == b || a.Equal(*b) }

// enter puts a target into its file of an output; name is a buffer.
func (w *Writer) enter(o *output, t *target.Target, name []byte) []byte {
	name = o.tmpl.appendName(name[:0], t, noShard)
	fam := o.families[string(name)]
	if fam == nil || fam.pass != w.pass {
		fam = w.family(o, t, name)
	}
	f := fam.files[o.shard(t)]
	if f.next == nil {
		f.next = make([]entry, 0, len(f.want)+len(f.want)/16+1)
	}
	f.next = append(f.next, entry{&t.Key, o.published(t)})
	return name
}

// family makes all files of a name wanted: every shard every time (contract §7).
func (w *Writer) family(o *output, t *target.Target, name []byte) *family {
	if name == nil {
		name = o.tmpl.appendName(nil, t, noShard)
	}
	fam := o.families[string(name)]
	if fam == nil {
		fam = &family{files: make([]*file, o.Shards)}
		o.families[string(name)] = fam
	}
	fam.pass = w.pass
	for i := range fam.files {
		// Looked up anew: a file that was deleted has no record any more.
		f := w.file(o.dir, o.tmpl.name(t, i))
		f.output, f.wanted = o, true
		fam.files[i] = f
	}
	return fam
}

// shallHold makes a finished list the wanted one, keeping the old one where it is
// the same, because the file may share it.
func (f *file) shallHold(next []entry) {
	f.next = nil
	if !sameEntries(f.want, next) {
		f.want = next
	}
}
