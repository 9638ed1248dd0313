package health

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/prometheus/prometheus/model/textparse"
)

// look reads a body as a probe does, in a window of that size.
func look(src io.Reader, f format, size int, required ...string) (samples bool, found *finds, err error) {
	w := &window{buf: make([]byte, size)}
	w.reset(src)
	found = newFinds(indexed(required))
	if f == formatProto {
		samples, err = readProto(w, found)
	} else {
		samples, err = readText(w, f == formatOpenMetrics, found)
	}
	if err == nil && w.err != io.EOF {
		err = w.err
	}
	return samples, found, err
}

func TestReadText(t *testing.T) {
	long := strings.Repeat("x", 3*windowSize)
	for _, tc := range []struct {
		name    string
		body    string
		format  format
		samples bool
		err     error
	}{
		{name: "blank lines and comments", body: "\n  \n# hello\n#\n\t# HELP a b\na 1\n", samples: true},
		{name: "blank line in OpenMetrics", body: "\na 1\n# EOF\n", format: formatOpenMetrics, err: errNotMetrics},
		{name: "OpenMetrics without its end", body: "a 1\n", format: formatOpenMetrics, samples: true},
		{name: "OpenMetrics with an exemplar", body: "# TYPE a counter\na_total 1 # {trace_id=\"x\"} 1 2\n", format: formatOpenMetrics, samples: true},
		{name: "OpenMetrics that goes on after its end", body: "# EOF\na 1\n", format: formatOpenMetrics, err: errNotMetrics},
		{name: "carriage returns", body: "a 1\r\nb 2\r\n", err: errNotMetrics},
		{name: "comment longer than the window", body: "# HELP a " + long + "\na 1\n", samples: true},
		{name: "first sample longer than the window", body: "a{b=\"" + long + "\"} 1\n", err: errNotMetrics},
		{name: "later sample longer than the window", body: "a 1\nb{b=\"" + long + "\"} 1\nc 1\n", samples: true},
		{name: "as long as the window", body: "# " + strings.Repeat("x", windowSize-3) + "\na 1\n", samples: true},
		{name: "too many comments to parse each", body: strings.Repeat("#\n", parsedComments) + "# HELP a caf\xe9\n\na 1\n", samples: true},
		{name: "no sample after many comments", body: strings.Repeat("#\n", parsedComments) + "#\nlogin page\n", err: errNotMetrics},
		{name: "end of OpenMetrics after many comments", body: strings.Repeat("# TYPE a gauge\n", parsedComments) + "# EOF\na 1\n", format: formatOpenMetrics, err: errNotMetrics},
		{name: "zeros", body: strings.Repeat("\x00", 100), err: errNotMetrics},
		{name: "bad UTF-8 in a help text", body: "# HELP a caf\xe9\na 1\n", err: errNotMetrics},
		{name: "bad UTF-8 after the first sample", body: "b 1\n# HELP a caf\xe9\na 1\n", samples: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			samples, _, err := look(strings.NewReader(tc.body), tc.format, windowSize)
			if samples != tc.samples || !errors.Is(err, tc.err) {
				t.Errorf("samples %t, err %v", samples, err)
			}
		})
	}
}

// A line that the stream broke off is none.
func TestBrokenStream(t *testing.T) {
	broken := errors.New("broken")
	for _, body := range []string{"", "a 1", "# HELP a", "mcp_build_info{version=\"2\"} 1"} {
		src := io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken))
		samples, found, err := look(src, formatText, windowSize)
		if samples || found.version.version != "" || !errors.Is(err, broken) {
			t.Errorf("%q: samples %t, version %q, err %v", body, samples, found.version.version, err)
		}
	}
	if _, _, err := look(stuck{}, formatText, windowSize); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that is stuck: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// Where the server's version is found (contract §5).
func TestVersionFromMetrics(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"target_info", "target_info{service_name=\"a\",service_version=\"1.2\"} 1\nmcp_build_info{version=\"2\"} 1\n", "1.2"},
		{"target_info, last", "mcp_build_info{version=\"2\"} 1\ntarget_info{service_version=\"1.2\"} 1\n", "1.2"},
		{"target_info in OpenTelemetry's own spelling", "target_info{\"service.version\"=\"1.2\"} 1\n", "1.2"},
		{"target_info without a version", "target_info{service_version=\"\"} 1\nmcp_build_info{version=\"2\"} 1\n", "2"},
		{"a build info", "acme_build_info{revision=\"x\",version=\"v3\"} 1\n", "v3"},
		{"of MCP first", "acme_build_info{version=\"3\"} 1\nmy_mcp_server_build_info{version=\"2\"} 1\n", "2"},
		{"the first name, whatever the order", "b_build_info{version=\"1\"} 1\na_build_info{version=\"2\"} 1\n", "2"},
		{"the first value, whatever the order", "a_build_info{version=\"2\"} 1\na_build_info{version=\"1\"} 1\n", "1"},
		{"Go's", "go_build_info{path=\"x\",version=\"v1\"} 1\n", ""},
		{"an exporter's", "node_exporter_build_info{version=\"1\"} 1\n", ""},
		{"a run-time's", "jvm_build_info{version=\"1\"} 1\nprometheus_build_info{version=\"2\"} 1\n", ""},
		{"only named alike", "a_build_info_total{version=\"1\"} 1\n# HELP a_build_info {version=\"1\"}\n# TYPE a_build_info gauge\n", ""},
		{"no version", "mcp_build_info 1\n", ""},
		{"one that cannot be a label", "mcp_build_info{version=\"%{HOME}\"} 1\n", ""},
		{"one with a line break", "mcp_build_info{version=\"a\\nb\"} 1\n", ""},
		{"one that is far too long", "mcp_build_info{version=\"" + strings.Repeat("1", 1025) + "\"} 1\n", ""},
		{"quoted name", "{\"mcp_build_info\",version=\"1\"} 1\n", "1"},
		{"broken line", "a 1\nmcp_build_info{version=\"1\" 1\n", ""},
	} {
		for _, lead := range []string{"", "x 1\n"} {
			_, found, err := look(strings.NewReader(lead+tc.body), formatText, windowSize)
			if found.version.version != tc.want || err != nil {
				t.Errorf("%s: version %q, want %q (%v)", tc.name, found.version.version, tc.want, err)
			}
		}
	}
}

// A required metric is there with any of its series (contract §3).
func TestRequired(t *testing.T) {
	for _, tc := range []struct {
		required, body string
		format         format
		missing        int
	}{
		{"a", "a 1\n", formatText, 0},
		{"a", "a{b=\"c\"} 1\n", formatText, 0},
		{"a", "# TYPE a counter\n", formatText, 0},
		{"h", "h_bucket{le=\"+Inf\"} 1\n", formatText, 0},
		{"h", "h_count 1\n", formatText, 0},
		{"h_count", "h_count 1\n", formatText, 0},
		{"c", "c_total 1\n", formatOpenMetrics, 0},
		{"c", "c_total 1\n", formatText, 1},
		{"mcp.sessions", "{\"mcp.sessions\",a=\"b\"} 1\n", formatText, 0},
		{"mcp.sessions", "# TYPE \"mcp.sessions\" gauge\n", formatText, 0},
		{"a", "ab 1\nb{a=\"a\"} 1\n# HELP a a\n# a\n", formatText, 1},
	} {
		if _, found, _ := look(strings.NewReader(tc.body), tc.format, windowSize, tc.required); found.missing != tc.missing {
			t.Errorf("%s in %q: %d missing", tc.required, tc.body, found.missing)
		}
	}
	many := newFinds(indexed([]string{"e", "d", "c", "b", "a"}))
	if got := many.absent(); got != "a, b, c, and 2 more" {
		t.Error(got)
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(page), uint8(0), uint8(1))
	f.Add([]byte("# HELP a "+strings.Repeat("x", 300)+"\na{b=\"c\"} 1\nmcp_build_info{version=\"1\"} 1"), uint8(0), uint8(7))
	f.Add([]byte("# TYPE a counter\na_total 1.0\n# EOF\n"), uint8(1), uint8(3))
	f.Add([]byte("{\"a.b\",version=\"x\"} 1\n# TYPE \"a.b\" gauge\n"), uint8(0), uint8(2))
	f.Add(protoBody(f, counter("a", 1), info("target_info", "service_version", "2")), uint8(2), uint8(5))
	f.Add([]byte("b 1\nc{x=\"_inf\"} 1\n"+strings.Repeat("d 1\n", 100)+"mcp_build_info{version=\"1\"} 1\nb_info 1"), uint8(0), uint8(6))
	f.Add([]byte("<html>\n"), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, body []byte, kind, chunk uint8) {
		const size = 256 // small, so that lines are longer
		as := format(kind % 3)
		samples, found, err := look(bytes.NewReader(body), as, size, "a", "a.b")
		// Where no name is asked for, lines are skipped by the hundred.
		if _, skipped, _ := look(&chunks{bytes.NewReader(body), int(chunk) + 1}, as, size); skipped.version != found.version && found.missing > 0 {
			t.Errorf("version %+v where lines are skipped, %+v where each is looked at", skipped.version, found.version)
		}
		for name, src := range map[string]io.Reader{
			"byte by byte":  iotest.OneByteReader(bytes.NewReader(body)),
			"in chunks":     &chunks{bytes.NewReader(body), int(chunk) + 1},
			"with data+EOF": iotest.DataErrReader(bytes.NewReader(body)),
		} {
			s, o, e := look(src, as, size, "a", "a.b")
			if samples && as != formatProto && !accepts(body, as == formatOpenMetrics, size) {
				t.Errorf("Prometheus' parser finds no sample in it")
			}
			if s != samples || o.missing != found.missing || o.version != found.version || (e == nil) != (err == nil) {
				t.Errorf("%s: samples %t, missing %d, version %+v, err %v; in one piece: %t, %d, %+v, %v",
					name, s, o.missing, o.version, e, samples, found.missing, found.version, err)
			}
		}
	})
}

// accepts reports whether Prometheus' own parser, given the whole body, comes
// to a sample; it is not asked where a line is too long for the window.
func accepts(body []byte, openMetrics bool, size int) bool {
	for line := range bytes.Lines(body) {
		if len(line) > size {
			return true
		}
	}
	p := newParser(bytes.Clone(body), openMetrics)
	for {
		switch entry, err := p.Next(); {
		case err != nil:
			return false
		case entry == textparse.EntrySeries:
			return true
		}
	}
}

// chunks reads at most n bytes at once.
type chunks struct {
	src io.Reader
	n   int
}

func (c *chunks) Read(p []byte) (int, error) { return c.src.Read(p[:min(len(p), c.n)]) }
