package writer

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/target"
)

// Whatever is asked for, whatever fails, and however the layout changes at
// restarts: a target that was published and is still wanted is in some file
// after every single write, Behind names what is not as wanted, and in the end
// the files say what was wanted.
func TestMovesProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t)
		layouts := [][]Output{
			{b.out("mcp-{environment}.json")},
			{b.out("z-{environment}.json")},
			{b.out("mcp-{shard}.json", sharded(2))},
			{b.out("mcp-{shard}.json", sharded(3))},
		}
		files := []string{"", manifestName, "mcp-a.json", "mcp-b.json", "z-a.json", "z-b.json", "mcp-0.json", "mcp-1.json", "mcp-2.json"}
		b.open(layouts[0]...)
		var want []target.Target
		for range rapid.IntRange(1, 6).Draw(r, "passes") {
			if rapid.IntRange(0, 3).Draw(r, "restart") == 0 {
				b.open(rapid.SampledFrom(layouts).Draw(r, "layout")...)
			}
			want = drawTargets(r)
			b.guarded(r, want, rapid.SampledFrom(files).Draw(r, "bad"))
			p, _ := b.Publish(t.Context(), refs(want))
			b.checkBehind(r, p, want)
			b.clock.step(time.Duration(rapid.IntRange(0, 90).Draw(r, "seconds")) * time.Second)
		}
		b.guarded(r, want, "")
		p, err := b.Publish(t.Context(), refs(want))
		b.checkBehind(r, p, want)
		for err == nil && p.Behind != nil {
			b.clock.now = p.NextAt
			p, err = b.Publish(t.Context(), refs(want))
			b.checkBehind(r, p, want)
		}
		if err != nil {
			r.Fatal(err)
		}
	})
}

func drawTargets(r *rapid.T) []target.Target {
	var ts []target.Target
	for i := range 5 {
		if rapid.IntRange(0, 4).Draw(r, "listed") == 0 {
			continue
		}
		t := in(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "environment"), fmt.Sprintf("t%d:1", i))
		if rapid.Bool().Draw(r, "down") {
			t = down(t)
		}
		ts = append(ts, t)
	}
	return ts
}

// guarded makes renames to one name fail, and checks after every other that no
// wanted target was lost.
func (b *bench) guarded(r *rapid.T, want []target.Target, bad string) {
	was, real := b.everything(), osFS()
	b.fs.rename = func(from, to string) error {
		if filepath.Base(to) == bad {
			return syscall.EIO
		}
		err := real.rename(from, to)
		now := b.everything()
		for _, t := range want {
			if was[t.Address] && !now[t.Address] {
				r.Fatalf("%s is in no file after the write of %s", t.Address, to)
			}
		}
		return err
	}
}

// checkBehind checks that what is not behind is exactly where it is wanted, and
// that there is a time to come back for the rest.
func (b *bench) checkBehind(r *rapid.T, p Published, want []target.Target) {
	if now := b.clock.now; p.Behind != nil && !p.NextAt.After(now) || !p.NextAt.IsZero() && !p.NextAt.After(now) {
		r.Fatalf("at %s, behind with %v: NextAt is %s", now, behind(p), p.NextAt)
	}
	wanted := map[string]target.Target{}
	for _, t := range want {
		if !p.Behind[t.Key] {
			wanted[t.Address] = t
		}
	}
	files, _ := filepath.Glob(b.path("*.json"))
	for _, f := range files {
		body, _ := os.ReadFile(f)
		ts, _ := Parse(body)
		for _, t := range ts {
			if p.Behind[t.Key] {
				continue
			}
			if w, ok := wanted[t.Address]; !ok || b.Files(w)[0] != f || !labels.Equal(w.Labels, t.Labels) {
				r.Fatalf("%v is in %s, and not behind", t, f)
			}
			delete(wanted, t.Address)
		}
	}
	if len(wanted) > 0 {
		r.Fatalf("neither behind nor there: %v", wanted)
	}
}
