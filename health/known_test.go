package health

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

var knownKey = target.Key{Scheme: "http", Address: "10.0.0.1:80", Path: "/metrics"}

// told is a ledger in which a target's answers are folded one after another.
type told struct {
	Ledger
	now time.Time
}

func (l *told) answer(class Class, a Answer) bool {
	l.now = l.now.Add(time.Minute)
	return l.Fold(Result{Key: knownKey, At: l.now, Class: class, MCP: &a}, 2, 3, l.now)
}

func (l *told) says(name, version string) bool {
	return l.answer(ClassUp, Answer{Proved: true, Keep: time.Hour, Server: Server{name, version, "2026-07-28"}})
}

func newTold() *told { return &told{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

// The first answer is believed at once, another version when two answers in a
// row told it (contract §5), for which the second is asked for at once.
func TestVersionByMCPIsBelieved(t *testing.T) {
	l := newTold()
	if l.MCP(knownKey) != nil || l.MCP(knownKey).AskAfter() != 0 {
		t.Error("known before it was asked")
	}
	for _, step := range []struct {
		name, version   string
		changed         bool
		is, isCandidate string
		keep            time.Duration
	}{
		{"a", "", true, "", "", time.Hour},
		{"a", "1", true, "1", "", time.Hour},
		{"a", "1", false, "1", "", time.Hour},
		{"b", "1", true, "1", "", time.Hour},
		{"b", "2", true, "1", "2", 0},
		{"b", "3", true, "1", "3", 0},
		{"b", "1", true, "1", "", time.Hour},
		{"b", "2", true, "1", "2", 0},
		{"b", "2", true, "2", "", time.Hour},
		{"", "", true, "2", "", time.Hour},
	} {
		changed := l.says(step.name, step.version)
		k := l.MCP(knownKey)
		if changed != step.changed || k.Version != step.is || k.Candidate != step.isCandidate || k.Name != step.name || k.Keep != step.keep {
			t.Errorf("after %s %s: changed %v, %+v", step.name, step.version, changed, *k)
		}
		if want := toMillis(l.now.Add(step.keep)); k.AskAfter() != want {
			t.Errorf("asked after %d, want %d", k.AskAfter(), want)
		}
	}
	if e := l.Peek(knownKey); e.Verdict != Unknown || e.Passes+e.Fails != 0 || e.Version != "" || len(e.Last()) > 0 {
		t.Errorf("answers turned the verdict: %+v", *e)
	}
}

// What is left open changes nothing; another kind of server is believed when it
// answered twice in a row.
func TestDoubt(t *testing.T) {
	l := newTold()
	l.says("a", "1")
	for _, class := range []Class{ClassTimeout, ClassUnauthorized, ClassHTTP5xx, ClassCanceled} {
		if l.answer(class, Answer{Keep: time.Second}) || !l.MCP(knownKey).Proved || l.MCP(knownKey).Class != class {
			t.Errorf("%s: %+v", class, *l.MCP(knownKey))
		}
	}
	other := Answer{Other: true, Keep: time.Hour}
	if !l.answer(ClassNotMCP, other) || !l.MCP(knownKey).Proved || l.MCP(knownKey).Keep != keepLeast {
		t.Errorf("after one: %+v", *l.MCP(knownKey))
	}
	l.says("a", "1")
	l.answer(ClassNotMCP, other)
	if !l.answer(ClassNotMCP, other) || l.MCP(knownKey).Proved || l.MCP(knownKey).Server != (Server{}) {
		t.Errorf("after two in a row: %+v", *l.MCP(knownKey))
	}
	if l.answer(ClassNotMCP, other) {
		t.Error("the third is news")
	}
	if !l.says("a", "2") || l.MCP(knownKey).Version != "2" {
		t.Errorf("it is one again: %+v", *l.MCP(knownKey))
	}
}

// Another instance behind the address starts anew; one that is forgotten is
// forgotten whole (contract §5, Identity).
func TestKnownIsOfTheInstance(t *testing.T) {
	l := newTold()
	l.Identify(knownKey, "i-1")
	l.says("a", "1")
	l.Fold(Result{Key: knownKey, Identity: "i-2", MCP: &Answer{Proved: true, Server: Server{Name: "b"}}}, 2, 3, l.now)
	if l.MCP(knownKey).Name != "a" {
		t.Error("the answer of another instance counts")
	}
	l.Identify(knownKey, "i-2")
	if l.MCP(knownKey) != nil {
		t.Errorf("%+v", *l.MCP(knownKey))
	}
	l.says("a", "1")
	l.Forget(knownKey)
	if l.MCP(knownKey) != nil {
		t.Error("it is remembered")
	}
}

// The state file has it in a list of its own: an older file lacks it, and an
// older mcp-sd overlooks it (contract §8).
func TestKnownIsRemembered(t *testing.T) {
	l := newTold()
	l.Fold(Result{Key: knownKey, At: l.now, MCPMetrics: true}, 2, 3, l.now)
	l.says("a", "1")
	l.says("a", "2")
	l.answer(ClassHTTP5xx, Answer{Keep: 90 * time.Second})
	b, err := json.Marshal(&l.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	var back Ledger
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	got, want := *back.MCP(knownKey), *l.MCP(knownKey)
	if !got.Asked.Equal(want.Asked) {
		t.Errorf("asked %s, want %s", got.Asked, want.Asked)
	}
	got.Asked = want.Asked
	if got != want || !got.Metrics || got.Candidate != "2" {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	l.Forget(knownKey)
	if b, _ := json.Marshal(&l.Ledger); strings.Contains(string(b), `"mcp"`) {
		t.Errorf("%s: written though there is nothing", b)
	}
	for _, bad := range []string{
		`{"steady":[],"entries":[],"mcp":[{"keep_ms":-1}]}`,
		`{"steady":[],"entries":[],"mcp":{}}`,
	} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
	odd := `{"mcp":[{"scheme":"http","address":"10.0.0.1:80","path":"/metrics","name":"%{HOME}","proved":true}]}`
	if err := json.Unmarshal([]byte(odd), &back); err != nil || back.MCP(knownKey).Name != "" || !back.MCP(knownKey).Proved {
		t.Errorf("%v %+v", err, back.MCP(knownKey))
	}
}
