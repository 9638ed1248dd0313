package discovery

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/health"
)

// What encode writes piece by piece reads as what encoding/json would write at
// once: by this program and by one that knew no other way (contract §8).
func TestStateEncoding(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	full := &saved{
		Schema: stateSchema, Written: at, Ledger: &health.Ledger{},
		Sources: map[string]savedSource{
			"plain": {Type: "static"},
			"full": {
				Type: "consul", Fingerprint: "<x>", Answered: true, Run: Run{Since: at, Count: 3}, Succeeded: at,
				Parts: map[string]Run{"a": {Since: at, Count: 1}, "b": {}},
				Window: Window{
					Removed: []time.Time{at, at}, Spent: at, Peaks: []Peak{{Count: 7, Until: at}},
					Admitted: []Admission{{Key: new(key(one)), At: at}, {Key: new(key(two)), At: at}},
				},
			},
		},
		Journal: []Removal{{At: at, Target: key(three), Labels: labels.FromStrings("a", "ü\""), Rule: RuleSilent, Unlisted: at}},
		from: []*Record{
			{Key: key(one), PendingSince: momentOf(at), Version: Version{Value: "1", From: FromMetrics}},
			{Key: key(two)}, // of which there is nothing to save
			{Key: key(three), HeldSince: momentOf(at), lacks: []lack{{part: &Part{Name: "a", Source: &Source{Name: "full"}}, of: Run{Count: 2}}}},
		},
	}
	full.Ledger.Fold(health.Result{Key: key(one), At: at, Version: "1"}, 2, 3, at)
	for name, v := range map[string]*saved{"full": full, "empty": {Ledger: &health.Ledger{}}} {
		var b bytes.Buffer
		if err := v.encode(&b); err != nil {
			t.Fatal(err)
		}
		for _, r := range v.from {
			if r.notable() {
				v.Records = append(v.Records, r.saved())
			}
		}
		whole, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, whole), decoded(t, b.Bytes()), cmpopts.EquateEmpty(), cmp.Comparer(labels.Equal)); diff != "" {
			t.Errorf("%s: at once (-) and piece by piece (+):\n%s", name, diff)
		}
		if got := bytes.Count(b.Bytes(), []byte("\n")); name == "full" && got < 9 {
			t.Errorf("%d lines: %s", got, b.Bytes())
		}
	}
}

// decoded is a state without the ledger's own form, which health tests.
func decoded(t *testing.T, state []byte) (v struct {
	Schema  int
	Written time.Time
	Sources map[string]savedSource
	Records []savedRecord
	Ledger  any
	Journal []Removal
},
) {
	t.Helper()
	if err := json.Unmarshal(state, &v); err != nil {
		t.Fatalf("%v in %s", err, state)
	}
	return v
}
