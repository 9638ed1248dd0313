package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func seriesOf(t interface {
	Helper()
	Fatal(args ...any)
}, m *Metrics) (most int, values []string,
) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), DefaultPrefix) {
			most = max(most, len(f.GetMetric()))
			for _, s := range f.GetMetric() {
				for _, l := range s.GetLabel() {
					values = append(values, l.GetValue())
				}
			}
		}
	}
	return most, values
}

// Whatever is put into every label, each has at most the values that it may,
// and all of them are legal.
func TestLabelsAreBounded(t *testing.T) {
	m := New(Options{})
	for i := range 5000 {
		every(m, fmt.Sprint("made-up-", i))
	}
	// every gives all labels of a metric the same value, so the series of one
	// are as many as values: 50, Other, and what a second status adds.
	most, _ := seriesOf(t, m)
	if most > 2*(maxRoutes+1) {
		t.Errorf("one metric has %d series after 5,000 values", most)
	}
	if got := value(t, m, "mcp_user_signups_total", "source", Other); got != 5000-maxLearned {
		t.Errorf("%v sign-ups are %s, want %d", got, Other, 5000-maxLearned)
	}
}

// What is declared is all that there is.
func TestDeclaredLabels(t *testing.T) {
	m := New(Options{Labels: Labels{Tools: []string{"convert"}, Tiers: []string{"free", "pro"}}})
	for i := range 100 {
		_ = m.Tool(t.Context(), fmt.Sprint("made-up-", i), "platinum", func(ctx) error { return nil })
	}
	if got := value(t, m, "mcp_tool_invocations_total", "tool_name", Other, "user_tier", Other, "status", StatusSuccess); got != 100 {
		t.Errorf("%v calls of unknown tools are %s, want 100", got, Other)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		// One tool, two outcomes, two tiers from the start, and the one above.
		if f.GetName() == "mcp_tool_invocations_total" && len(f.GetMetric()) != 5 {
			t.Errorf("mcp_tool_invocations_total has %d series, want 5", len(f.GetMetric()))
		}
	}
}

// Any sequence of any values: never more values than allowed, never one that
// Prometheus refuses, and the same value always gives the same answer.
func TestWordsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var known []string
		if rapid.Bool().Draw(t, "declared") {
			known = rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}`), 1, 20).Draw(t, "words")
		}
		w := declared(known)
		limit := maxLearned
		if known != nil {
			limit = len(known)
		}
		seen := map[string]bool{}
		answers := map[string]string{}
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			v := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z]{1,2}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value")
			got := w.bounded(v)
			if got != v && got != Other || !legal(got) {
				t.Fatalf("%q became %q", v, got)
			}
			if before, asked := answers[v]; asked && before != got && before != Other {
				t.Fatalf("%q was %q, and is %q now", v, before, got)
			}
			answers[v] = got
			seen[got] = true
		}
		if delete(seen, Other); len(seen) > limit {
			t.Fatalf("%d values, at most %d", len(seen), limit)
		}
	})
}

// Whatever a client sends, the labels of the HTTP metrics are legal and few.
func FuzzHTTPLabels(f *testing.F) {
	f.Add("GET", "/documents/42", 200)
	f.Add("BREW", "/\xff\xfe", 404)
	f.Add("POST", "//a/../b?c", 299)
	f.Add("GET", "/3f2504e0-4f89-11d3-9a0c-0305e82c3301/507f1f77bcf86cd799439011", 599)
	f.Add("", "", 999)
	m, n := New(Options{}), 0
	f.Fuzz(func(t *testing.T, method, path string, status int) {
		if n++; n%500 == 0 { // else reading all series takes longer and longer
			m = New(Options{})
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200 + (status%800+800)%800)
		})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.URL.Path = method, path
		m.HTTP(mux).ServeHTTP(httptest.NewRecorder(), r)
		most, values := seriesOf(t, m)
		if methods, codes := 10, 64; most > methods*(maxRoutes+2)*codes {
			t.Errorf("one metric has %d series", most)
		}
		routes := map[string]bool{}
		for _, v := range values {
			if !utf8.ValidString(v) || v == "" || len(v) > maxLength {
				t.Errorf("a label says %q", v)
			}
			if strings.HasPrefix(v, "/") {
				routes[v] = true
			}
		}
		if len(routes) > maxRoutes+1 { // and the router's "/"
			t.Errorf("%d routes", len(routes))
		}
	})
}
