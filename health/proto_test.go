package health

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

const protoType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

func counter(name string, v float64) *dto.MetricFamily {
	return &dto.MetricFamily{
		Name: proto.String(name), Type: dto.MetricType_COUNTER.Enum(),
		Metric: []*dto.Metric{{Counter: &dto.Counter{Value: proto.Float64(v)}}},
	}
}

func info(name string, labels ...string) *dto.MetricFamily {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: proto.Float64(1)}}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: proto.String(labels[i]), Value: proto.String(labels[i+1])})
	}
	return &dto.MetricFamily{Name: proto.String(name), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{m}}
}

func protoBody(t testing.TB, families ...*dto.MetricFamily) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, f := range families {
		if _, err := protodelim.MarshalTo(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// large is a family that does not fit into a window.
func large(t *testing.T, name string) *dto.MetricFamily {
	t.Helper()
	f := counter(name, 1)
	f.Metric[0].Label = []*dto.LabelPair{{Name: proto.String("l"), Value: proto.String(strings.Repeat("x", 2*windowSize))}}
	return f
}

func TestReadProto(t *testing.T) {
	histogram := counter("h", 1)
	histogram.Type = dto.MetricType_HISTOGRAM.Enum()
	empty := &dto.MetricFamily{Name: proto.String("e")}
	for _, tc := range []struct {
		name     string
		body     []byte
		required []string
		samples  bool
		missing  int
		version  string
		err      error
	}{
		{name: "nothing"},
		{name: "a family without samples", body: protoBody(t, empty)},
		{name: "one", body: protoBody(t, counter("a", 1)), samples: true},
		{name: "required", body: protoBody(t, counter("a", 1), histogram), required: []string{"a", "h", "h_bucket", "h_count", "no"}, samples: true, missing: 1},
		{name: "version", body: protoBody(t, counter("a", 1), info("x_build_info", "version", "1"), info("target_info", "service_version", "2")), samples: true, version: "2"},
		{name: "larger than the window, first", body: protoBody(t, large(t, "a"), counter("b", 1)), required: []string{"a", "b"}, samples: true},
		{name: "larger than the window, later", body: protoBody(t, counter("b", 1), large(t, "a"), counter("c", 1)), required: []string{"a", "b", "c"}, samples: true},
		{name: "cut", body: protoBody(t, counter("a", 1), counter("b", 1))[:20], samples: true, err: io.ErrUnexpectedEOF},
		{name: "cut within a large one", body: protoBody(t, large(t, "a"))[:windowSize+10], samples: true, err: io.ErrUnexpectedEOF},
		{name: "text", body: []byte("# HELP a b\na 1\n"), err: errNotMetrics},
		{name: "a varint that does not end", body: bytes.Repeat([]byte{0xff}, 20), err: errNotMetrics},
		{name: "a message without a name", body: protoBody(t, &dto.MetricFamily{Metric: counter("", 1).Metric}), err: errNotMetrics},
		{name: "zeros", body: make([]byte, 100), err: errNotMetrics},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &window{buf: make([]byte, windowSize)}
			w.reset(bytes.NewReader(tc.body))
			f := newFinds(indexed(tc.required))
			samples, err := readProto(w, f)
			if samples != tc.samples || !errors.Is(err, tc.err) || f.missing != tc.missing || f.version.version != tc.version {
				t.Errorf("samples %t, missing %d, version %q, err %v", samples, f.missing, f.version.version, err)
			}
		})
	}
}

func indexed(names []string) map[string]int {
	m := map[string]int{}
	for i, n := range names {
		m[n] = i
	}
	return m
}
