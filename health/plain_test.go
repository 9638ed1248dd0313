package health

import (
	"io"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/textparse"
)

// What servers write needs no parser; what is odd is left to it.
func TestPlainLines(t *testing.T) {
	for _, tc := range []struct {
		line             string
		metadata, sample bool
	}{
		{"# HELP a What it counts, by \\kind.\n", true, false},
		{"# TYPE a_total counter\n", true, false},
		{"# TYPE a untyped\n", false, false},
		{"# TYPE a gauge \n", false, false},
		{"# TYPE  a gauge\n", false, false},
		{"# HELP a caf\xc3\xa9\n", false, false},
		{"# HELP a \n", true, false},
		{"# HELP a\n", false, false},
		{"# HELP  b\n", false, false},
		{"# HELP a b", false, false},
		{"# UNIT a_seconds seconds\n", false, false},
		{"# EOF\n", false, false},
		{"#\n", false, false},
		{"\n", false, false},
		{"", false, false},
		{"a 1\n", false, true},
		{"a 1", false, false},
		{"a:b_C9 -1.5e-07\n", false, true},
		{"go_gc_duration_seconds{quantile=\"0.25\"} 3.3441e-05\n", false, true},
		{"a{b=\"c d\",e=\"{,=}\"} 1.7e+09\n", false, true},
		{"a{b=\"c\",} 1\n", false, false},
		{"a{} 1\n", false, false},
		{"a{b=\"c\\\"d\"} 1\n", false, false},
		{"a{b:c=\"d\"} 1\n", false, false},
		{"a{\"b\"=\"c\"} 1\n", false, false},
		{"a{b=\"c\" } 1\n", false, false},
		{"a{b=\"c\n", false, false},
		{"a{b=\"c\"", false, false},
		{"a  1\n", false, false},
		{" a 1\n", false, false},
		{"9a 1\n", false, false},
		{"a 1 1700000000000\n", false, false},
		{"a 1e400\n", false, false},
		{"a 1e\n", false, false},
		{"a .5\n", false, false},
		{"a NaN\n", false, false},
		{"a " + strings.Repeat("9", 400) + "\n", false, false},
		{"a 1\r\n", false, false},
	} {
		if got := plainMetadata([]byte(tc.line)); got != tc.metadata {
			t.Errorf("%q is metadata: %t", tc.line, got)
		}
		if _, got := plainSample([]byte(tc.line), ""); got != tc.sample {
			t.Errorf("%q is a sample: %t", tc.line, got)
		}
	}
}

func TestLabelOfPlainSample(t *testing.T) {
	for line, want := range map[string]string{
		"target_info{service_name=\"a\",service_version=\"1.2\"} 1\n": "1.2",
		"target_info{service_version=\"\"} 1\n":                       "",
		"target_info{my_service_version=\"3\"} 1\n":                   "",
		"target_info 1\n": "",
	} {
		if got, ok := plainSample([]byte(line), "service_version"); !ok || string(got) != want {
			t.Errorf("%q: %q (%t), want %q", line, got, ok, want)
		}
	}
	if _, ok := plainSample([]byte("a{b=\"1\",b=\"2\"} 1\n"), "b"); ok {
		t.Error("of two it chose one")
	}
}

// A plain line is to Prometheus' parsers of both formats what it is here.
func FuzzPlain(f *testing.F) {
	for _, line := range strings.SplitAfter(page, "\n") {
		f.Add([]byte(line), "version")
	}
	f.Add([]byte("# HELP a b \\n\n"), "a")
	f.Add([]byte("a:b{le=\"1\",version=\"v1.2\"} -1.5e-07\n"), "version")
	f.Add([]byte("a{__name__=\"c\"} 1\n"), "__name__")
	f.Fuzz(func(t *testing.T, line []byte, label string) {
		metadata := plainMetadata(line)
		value, sample := plainSample(line, label)
		if !metadata && !sample {
			return
		}
		for _, openMetrics := range []bool{false, true} {
			p := newParser(line[:len(line):len(line)], openMetrics)
			entry, err := p.Next()
			if err != nil || (entry == textparse.EntrySeries) != sample {
				t.Fatalf("%q is a sample: %t; OpenMetrics %t: %v (%v)", line, sample, openMetrics, entry, err)
			}
			if l, ok := sampleLabels(line, openMetrics); ok && label != "__name__" && l.Get(label) != string(value) {
				t.Errorf("%q, OpenMetrics %t: %s is %q, want %q", line, openMetrics, label, value, l.Get(label))
			}
			if _, err := p.Next(); !openMetrics && err != io.EOF {
				t.Errorf("%q goes on: %v", line, err)
			}
		}
	})
}
