package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// output is a version of the output with these releases.
func output(releases ...any) []byte {
	var groups []string
	for i := 0; i < len(releases); i += 2 {
		groups = append(groups, fmt.Sprintf(`{"targets":[%q],"labels":{"release":"%d"}}`, releases[i], releases[i+1]))
	}
	return []byte("[" + strings.Join(groups, ",") + "]")
}

// TestModel: each thing that must not happen is noticed.
func TestModel(t *testing.T) {
	for name, test := range map[string]struct {
		goes func(m *model) error
		says string
	}{
		"all well": {func(m *model) error {
			m.added("a:1", 2, epoch)
			return m.read(output("a:1", 2, "b:1", 1), epoch)
		}, ""},
		"old label for now": {func(m *model) error {
			m.added("a:1", 2, epoch)
			return m.read(output("a:1", 1, "b:1", 1), epoch)
		}, ""},
		"lost": {func(m *model) error { return m.read(output("a:1", 1), epoch) }, "b:1 was lost"},
		"truncated": {func(m *model) error {
			whole := output("a:1", 1, "b:1", 1)
			return m.read(whole[:len(whole)/2], epoch)
		}, "can't be read"},
		"null": {func(m *model) error { return m.read([]byte("null"), epoch) }, "null instead of an array"},
		"twice": {func(m *model) error {
			return m.read(output("a:1", 1, "b:1", 1, "b:1", 1), epoch)
		}, "b:1 is there twice"},
		"never listed": {func(m *model) error {
			return m.read(output("a:1", 1, "b:1", 1, "c:1", 1), epoch)
		}, "never listed"},
		"label from nowhere": {func(m *model) error {
			return m.read(output("a:1", 3, "b:1", 1), epoch)
		}, "never had more"},
		"back": {func(m *model) error {
			m.removed("b:1", epoch)
			if err := m.read(output("a:1", 1), epoch); err != nil {
				return err
			}
			return m.read(output("a:1", 1, "b:1", 1), epoch)
		}, "b:1 is back"},
		"addition missed": {func(m *model) error {
			m.added("c:1", 1, epoch)
			return m.overdue(epoch.Add(late + 1))
		}, "missed: addition of c:1"},
		"label missed": {func(m *model) error {
			m.added("a:1", 2, epoch)
			return m.overdue(epoch.Add(late + 1))
		}, "missed: new label of a:1"},
		"removal missed": {func(m *model) error {
			m.removed("a:1", epoch)
			return m.overdue(epoch.Add(late + 1))
		}, "missed: removal of a:1"},
		"in time": {func(m *model) error {
			m.removed("a:1", epoch)
			return m.overdue(epoch.Add(late))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			m.added("a:1", 1, epoch)
			m.added("b:1", 1, epoch)
			if err := m.read(output("a:1", 1, "b:1", 1), epoch); err != nil {
				t.Fatal(err)
			}
			expect(t, test.goes(m), test.says)
		})
	}
}

// TestBounds: what grows is told from what swings.
func TestBounds(t *testing.T) {
	b := bound{metric: "m", scale: 1, share: 0.1, slack: 5}
	for name, test := range map[string]struct {
		value func(i int) float64
		says  string
	}{
		"flat":   {func(int) float64 { return 100 }, ""},
		"swings": {func(i int) float64 { return 100 + float64(i%3)*30 }, ""},
		"falls":  {func(i int) float64 { return float64(300 - i) }, ""},
		"grows":  {func(i int) float64 { return 100 + float64(i) }, "m grows"},
	} {
		t.Run(name, func(t *testing.T) {
			var samples []float64
			for i := range 60 {
				samples = append(samples, test.value(i))
			}
			expect(t, b.check(samples), test.says)
		})
	}
	expect(t, b.check(make([]float64, 5)), "let it run longer")
}

func expect(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case err == nil && says != "":
		t.Errorf("no error, want one that says %q", says)
	case err != nil && (says == "" || !strings.Contains(err.Error(), says)):
		t.Errorf("the error is %q, want %q", err, says)
	}
}
