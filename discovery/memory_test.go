package discovery

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/target"
)

// What encode writes is what encoding/json would, whatever a source says.
func TestListingEncoding(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"`, `\`, "\x00\x7f", "ü<>&\u2028", "plain"}))
	rapid.Check(t, func(rt *rapid.T) {
		v := savedListing{Schema: listingSchema, Parts: []savedPart{}}
		for range rapid.IntRange(0, 3).Draw(rt, "parts") {
			p := savedPart{Name: text.Draw(rt, "part"), At: time.Unix(0, rapid.Int64Range(0, 4e18).Draw(rt, "at")).UTC(), Inline: rapid.Bool().Draw(rt, "inline"), Raw: savedRaws{}}
			for range rapid.IntRange(0, 2).Draw(rt, "rejections") {
				p.Rejected = append(p.Rejected, target.Rejection{Address: text.Draw(rt, "address"), Reason: text.Draw(rt, "reason"), Detail: text.Draw(rt, "detail")})
			}
			for range rapid.IntRange(0, 3).Draw(rt, "raws") {
				m := rapid.MapOf(text, text).Draw(rt, "labels")
				p.Raw = append(p.Raw, target.Raw{Identity: text.Draw(rt, "identity"), Labels: labels.FromMap(m)})
			}
			v.Parts = append(v.Parts, p)
		}
		var back savedListing
		if err := json.Unmarshal(v.encode(), &back); err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(v, back) {
			rt.Fatalf("%+v\nreads back as\n%+v", v, back)
		}
	})
}

// What a mechanism left out is saved with its listing, also where that alone has
// changed, and no news to the next run; where rules or options changed all is news.
func TestRejectionsAreRecalled(t *testing.T) {
	w := newWorld(t, "a")
	m := memory{folder: newCabinet()}
	save := func(p testPart) {
		w.arrive("a", p)
		m.listed(w.state.Source("a"), false)
		if err := m.save(w.state, w.now, true); err != nil {
			t.Fatal(err)
		}
	}
	p := part("p", tgts("a", one)...)
	save(p)
	p.Rejected = []target.Rejection{{Address: "x", Reason: "url_template", Detail: "why"}}
	save(p)
	for fingerprint, news := range map[string]bool{w.state.Source("a").Fingerprint: false, "changed": true} {
		r := &toldRelabeler{plainRelabeler: plainRelabeler{source: "a"}}
		setups := []SourceSetup{{Name: "a", Type: "test", Fingerprint: fingerprint, Relabeler: r}}
		s := NewState()
		s.Configure(setups)
		(&memory{folder: m.folder}).recall(s, Setup{Sources: setups, Interval: time.Minute}, w.now)
		got := r.recalled
		if news {
			got = r.told
		}
		if len(r.told)+len(r.recalled) != 1 || len(got) != 1 || !slices.Equal(got[0].Rejected, p.Rejected) {
			t.Errorf("news is %t: told %+v, recalled %+v", news, r.told, r.recalled)
		}
	}
}

// toldRelabeler notes what it was asked to relabel.
type toldRelabeler struct {
	plainRelabeler
	told, recalled []target.Part
}

func (r *toldRelabeler) Targets(p target.Part) ([]*target.Target, []target.Rejection) {
	r.told = append(r.told, p)
	return r.plainRelabeler.Targets(p)
}

func (r *toldRelabeler) Recall(p target.Part) ([]*target.Target, []target.Rejection) {
	r.recalled = append(r.recalled, p)
	return r.plainRelabeler.Targets(p)
}

// Contract §8: a state of an earlier schema is understood.
func TestEarlierSchema(t *testing.T) {
	folder := newCabinet()
	folder.files[stateFile] = []byte(`{"schema":1,"written":"2026-01-01T00:00:00Z","sources":{},"records":[],"journal":[],
		"ledger":{"entries":[{"scheme":"http","address":"` + one + `","path":"/metrics","verdict":"up","ever":true,"passes":7,"last":[{"at_ms":1,"took_ms":1}]}]}}`)
	m := memory{folder: folder}
	v := m.load(true)
	if v == nil || v.Ledger.Peek(key(one)).Passes != 7 {
		t.Fatalf("%+v, set aside: %v", v, folder.aside)
	}
}

// A fleet that is well and listed as before writes nothing; what was left out
// is written at the end.
func TestIdleWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two, three)
		r.start(t)
		elapse(time.Minute)
		before := r.cabinet.snapshot()
		if !strings.Contains(before[stateFile], one) || strings.Contains(before[stateFile], "pending") {
			t.Fatalf("a minute after its admission the state does not know %s: %s", one, before[stateFile])
		}
		elapse(20 * time.Minute) // the guard's window passes
		settled := r.cabinet.snapshot()
		elapse(time.Hour)
		if !maps.Equal(settled, r.cabinet.snapshot()) {
			t.Error("an idle fleet wrote to its state")
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if slices.Equal([]byte(settled[stateFile]), r.cabinet.files[stateFile]) {
			t.Error("the end left the state as old as it was")
		}
	})
}

func (c *cabinet) snapshot() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := map[string]string{}
	for name, data := range c.files {
		files[name] = string(data)
	}
	return files
}
