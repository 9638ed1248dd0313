package health

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/target"
)

var (
	one   = target.Key{Scheme: "http", Address: "10.0.0.1:3000", Path: "/metrics"}
	two   = target.Key{Scheme: "https", Address: "10.0.0.2:3000", Path: "/m", Params: "a=b"}
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// Verdicts by consecutive results (contract §5): + is a success, - a failure,
// and the line below says what is believed after each: u, d or ? for unknown.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		rise, fall      int
		results, expect string
	}{
		{2, 3, "+", "u"},                    // the first success admits at once
		{2, 3, "-+", "?u"},                  // also after failures
		{2, 3, "----+", "??ddu"},            // and after it was called down
		{2, 3, "+--+---", "uuuuuud"},        // fall failures in a row
		{2, 3, "+---+-++", "uuudddd" + "u"}, // afterwards rise successes in a row
		{1, 1, "+-+-", "udud"},
		{3, 2, "+--++", "uuddd"},
	} {
		l := &Ledger{}
		got := ""
		for i, c := range tc.results {
			class := ClassUp
			if c == '-' {
				class = ClassRefused
			}
			before := l.Peek(one).Verdict
			changed := l.Fold(Result{Key: one, Class: class}, tc.rise, tc.fall, epoch.Add(time.Duration(i)*time.Second))
			got += map[Verdict]string{Up: "u", Down: "d", Unknown: "?"}[l.Peek(one).Verdict]
			if changed != (before != l.Peek(one).Verdict) {
				t.Errorf("%s: changed is %t at %d", tc.results, changed, i)
			}
		}
		if got != tc.expect {
			t.Errorf("rise %d, fall %d, %s: got %s, want %s", tc.rise, tc.fall, tc.results, got, tc.expect)
		}
	}
}

// The first version is believed at once, a different one after two probes in a
// row (contract §5).
func TestVersion(t *testing.T) {
	l := &Ledger{}
	for i, tc := range []struct {
		told    string
		class   Class
		want    string
		changed bool
	}{
		{"", ClassUp, "", true}, // up
		{"1", ClassUp, "1", true},
		{"2", ClassUp, "1", false},
		{"1", ClassUp, "1", false},
		{"2", ClassUp, "1", false},
		{"", ClassUp, "1", false},
		{"2", ClassUp, "1", false},
		{"", ClassTimeout, "1", false},
		{"2", ClassUp, "1", false},
		{"2", ClassMissingMetrics, "1", false}, // no success
		{"2", ClassUp, "1", false},
		{"3", ClassUp, "1", false},
		{"2", ClassUp, "1", false},
		{"", ClassCanceled, "1", false}, // no probe at all
		{"2", ClassUp, "2", true},
	} {
		changed := l.Fold(Result{Key: one, Class: tc.class, Version: tc.told}, 2, 3, epoch)
		if l.Peek(one).Version != tc.want || changed != tc.changed {
			t.Errorf("%d: version %q, changed %t", i, l.Peek(one).Version, changed)
		}
	}
}

// Another identity behind an address starts history and version anew (contract
// §5), and results of the one before are no longer heard.
func TestIdentity(t *testing.T) {
	l := &Ledger{}
	if l.Identify(one, "i-1") {
		t.Error("the first identity is no reset")
	}
	l.Fold(Result{Key: one, Identity: "i-1", Version: "1"}, 2, 3, epoch)
	if l.Identify(one, "i-1") || l.Identify(one, "") || l.Peek(one).Verdict != Up {
		t.Error("the same identity, or none, is no reset")
	}
	if !l.Identify(one, "i-2") || l.Peek(one).Verdict != Unknown || l.Peek(one).Version != "" {
		t.Error("another identity is a reset")
	}
	if l.Fold(Result{Key: one, Identity: "i-1", Version: "1"}, 2, 3, epoch) || l.Peek(one).Verdict != Unknown {
		t.Error("a late result of the old identity was heard")
	}
	if !l.Fold(Result{Key: one, Identity: "i-2", Version: "2"}, 2, 3, epoch) || l.Peek(one).Version != "2" {
		t.Error("the new identity was not heard")
	}
	l.Forget(one)
	if _, ok := l.Get(one); ok || l.Len() != 0 {
		t.Error("not forgotten")
	}
}

// A probe without a verdict leaves all as it was, but for its reason.
func TestCanceledIsNotFolded(t *testing.T) {
	l := &Ledger{}
	l.Fold(Result{Key: one, At: epoch}, 2, 3, epoch)
	before, _ := l.Get(one)
	for range 5 {
		if l.Fold(Result{Key: one, Class: ClassCanceled, Detail: "no files left"}, 2, 3, epoch.Add(time.Hour)) {
			t.Error("changed")
		}
	}
	after, _ := l.Get(one)
	if after.Trouble != "no files left" || l.LastFailure(one) != "no files left" {
		t.Errorf("%+v", after)
	}
	after.Trouble = ""
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(Entry{}, history{}, past{}, fail{})); diff != "" {
		t.Error(diff)
	}
	if l.Fold(Result{Key: one, Class: ClassRefused, Detail: "connection refused"}, 2, 3, epoch); l.LastFailure(one) != "refused: connection refused" {
		t.Error(l.LastFailure(one))
	}
}

// The last five probes are kept, and who holds an older view keeps it.
func TestHistory(t *testing.T) {
	l := &Ledger{}
	var views []Entry
	for i := range 8 {
		l.Fold(Result{Key: one, At: epoch.Add(time.Duration(i) * time.Second)}, 2, 3, epoch)
		e, _ := l.Get(one)
		views = append(views, e)
	}
	for i, v := range views {
		if last := v.Last(); len(last) != min(i+1, 5) || !v.LastProbe().At.Equal(last[len(last)-1].At) || !v.LastProbe().At.Equal(epoch.Add(time.Duration(i)*time.Second)) {
			t.Errorf("view %d: %v", i, last)
		}
	}
}

func TestLedgerJSON(t *testing.T) {
	l := &Ledger{}
	l.Identify(two, "node/1")
	l.Fold(Result{Key: two, Identity: "node/1", At: epoch, Took: 12 * time.Millisecond, Version: "1"}, 2, 3, epoch)
	l.Fold(Result{Key: one, At: epoch, Took: time.Second, Class: ClassRefused, Detail: "connection refused"}, 2, 1, epoch)
	const want = `{"steady":[{"scheme":"https","path":"/m","params":"a=b","version":"1","targets":[["10.0.0.2:3000","node/1",1772366400000,1,1772366400000,12]]}],"entries":[` +
		`{"scheme":"http","address":"10.0.0.1:3000","path":"/metrics","verdict":"down","since_ms":1772366400000,"fails":1,"last":[{"at_ms":1772366400000,"took_ms":1000,"class":"refused","detail":"connection refused"}]}]}`
	// Before schema 2 of the state there was no "steady".
	const before = `{"entries":[` +
		`{"scheme":"http","address":"10.0.0.1:3000","path":"/metrics","verdict":"down","since_ms":1772366400000,"fails":1,"last":[{"at_ms":1772366400000,"took_ms":1000,"class":"refused","detail":"connection refused"}]},` +
		`{"scheme":"https","address":"10.0.0.2:3000","path":"/m","params":"a=b","identity":"node/1","verdict":"up","since_ms":1772366400000,"passes":1,"ever":true,"version":"1","last":[{"at_ms":1772366400000,"took_ms":12}]}]}`
	got, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{want, before} {
		back := &Ledger{}
		if err := json.Unmarshal([]byte(text), back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != want {
			t.Errorf("%s\nreads as\n%s, %v", text, again, err)
		}
	}
	for _, bad := range []string{`{"entries":[{"verdict":"sideways"}]}`, `{"entries":{}}`, `{"steady":[{"targets":[["a:1"]]}]}`, `{"steady":[{"targets":[["a:1","",0,0,"now",0]]}]}`} {
		if err := json.Unmarshal([]byte(bad), l); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if l.Len() != 2 {
		t.Error("a bad document changed the ledger")
	}
}

func TestAge(t *testing.T) {
	l := &Ledger{}
	l.Fold(Result{Key: one, At: epoch}, 2, 3, epoch)
	before, _ := l.Get(one)
	l.Age(func(times ...*time.Time) {
		for _, at := range times {
			*at = at.Add(time.Hour)
		}
	})
	after, _ := l.Get(one)
	if !after.Since.Equal(epoch.Add(time.Hour)) || !after.LastProbe().At.Equal(epoch.Add(time.Hour)) || !before.LastProbe().At.Equal(epoch) {
		t.Errorf("%v, then %v", before, after)
	}
}

// naive judges a whole history at once, without any counters.
func naive(history []Result, rise, fall int) (v Verdict, version string) {
	v = Unknown
	all := func(h []Result, up bool) bool {
		for _, r := range h {
			if r.Class.Up() != up {
				return false
			}
		}
		return true
	}
	for i := range history {
		upTo := history[:i+1]
		switch {
		case history[i].Class.Up() && all(history[:i], false):
			v = Up
		case len(upTo) >= rise && all(upTo[len(upTo)-rise:], true):
			v = Up
		case len(upTo) >= fall && all(upTo[len(upTo)-fall:], false):
			v = Down
		}
		told := history[i].Version
		switch {
		case !history[i].Class.Up() || told == "":
		case version == "", i > 0 && history[i-1].Class.Up() && history[i-1].Version == told:
			version = told
		}
	}
	return v, version
}

// The ledger agrees with the naive model whatever happens, and a round trip
// through the state file changes nothing (contract §5, §8).
func TestLedgerIsTheNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 4).Draw(t, "rise"), rapid.IntRange(1, 4).Draw(t, "fall")
		l := &Ledger{}
		history := map[target.Key][]Result{}
		identity := map[target.Key]string{}
		keys := rapid.SampledFrom([]target.Key{one, two})
		now := epoch
		t.Repeat(map[string]func(*rapid.T){
			"fold": func(t *rapid.T) {
				now = now.Add(time.Second)
				r := Result{
					Key: keys.Draw(t, "key"), At: now, Identity: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "identity"),
					Class:   rapid.SampledFrom([]Class{ClassUp, ClassUp, ClassRefused, ClassCanceled}).Draw(t, "class"),
					Version: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version"),
				}
				l.Fold(r, rise, fall, now)
				mine := identity[r.Key] == "" || r.Identity == "" || r.Identity == identity[r.Key]
				if mine && r.Class != ClassCanceled {
					history[r.Key] = append(history[r.Key], r)
					if identity[r.Key] == "" {
						identity[r.Key] = r.Identity
					}
				}
			},
			"identify": func(t *rapid.T) {
				k, id := keys.Draw(t, "key"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "identity")
				another := id != "" && identity[k] != "" && id != identity[k]
				if l.Identify(k, id) != another {
					t.Fatalf("%q after %q", id, identity[k])
				}
				if another {
					history[k] = nil
				}
				if id != "" {
					identity[k] = id
				}
			},
			"forget": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				l.Forget(k)
				delete(history, k)
				delete(identity, k)
			},
			"restart": func(t *rapid.T) { l = roundTrip(t, l) },
			"": func(t *rapid.T) {
				for _, k := range []target.Key{one, two} {
					v, version := naive(history[k], rise, fall)
					e, _ := l.Get(k)
					if e.Verdict != v || e.Version != version || e.Identity != identity[k] {
						t.Fatalf("%v: %+v, want %s, version %q, identity %q", k, e, v, version, identity[k])
					}
				}
			},
		})
	})
}

func roundTrip(t *rapid.T, l *Ledger) *Ledger {
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	again := &Ledger{}
	if err := json.Unmarshal(b, again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(again)
	if err != nil || string(second) != string(b) {
		t.Fatal(fmt.Errorf("not the same bytes: %w\n%s\n%s", err, b, second))
	}
	return again
}
