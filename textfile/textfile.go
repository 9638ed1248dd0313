// Package textfile leaves the metrics of a single pass for node_exporter's
// textfile collector (contract §2, --metrics.textfile).
//
// A process that lives for seconds would start its counters anew each time, so
// they are continued from what the last pass left in the state. The caveat: two
// passes with different states count apart.
package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Folder is where the counters are kept between two passes.
type Folder interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

const counters = "counters.prom"

// prefix is that of our own metrics: a textfile must not have go_* and
// process_*, which are node_exporter's own.
const prefix = "mcp_sd_"

// Write continues the counters of a registry from the folder, and writes all of
// its mcp_sd_* metrics to path, atomically and with mode 0644.
func Write(path string, reg prometheus.Gatherer, folder Folder) error {
	families, err := gather(reg)
	if err != nil {
		return err
	}
	before, err := load(folder)
	if err != nil {
		return err
	}
	families = merge(families, before)
	if err := save(folder, families); err != nil {
		return err
	}
	done := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	if err := prometheus.WriteToTextfile(path, done); err != nil {
		return fmt.Errorf("writing --metrics.textfile: %w", err)
	}
	return nil
}

func gather(reg prometheus.Gatherer) ([]*dto.MetricFamily, error) {
	all, err := reg.Gather()
	if err != nil {
		return nil, fmt.Errorf("gathering the metrics: %w", err)
	}
	var own []*dto.MetricFamily
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), prefix) {
			own = append(own, f)
		}
	}
	return own, nil
}

// load reads what the last pass left. Counters that can't be read start anew,
// as after any restart.
func load(folder Folder) (map[string]*dto.MetricFamily, error) {
	data, err := folder.Read(counters)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	return families, nil
}

func save(folder Folder, families []*dto.MetricFamily) error {
	var b bytes.Buffer
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER && f.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return fmt.Errorf("encoding the counters: %w", err)
		}
	}
	return folder.Write(counters, b.Bytes())
}

// merge adds the counts of before to those of now. A series that only before
// has goes on as it was.
func merge(now []*dto.MetricFamily, before map[string]*dto.MetricFamily) []*dto.MetricFamily {
	for _, f := range now {
		old := before[f.GetName()]
		if old == nil || old.GetType() != f.GetType() {
			continue
		}
		byLabels := make(map[string]*dto.Metric, len(f.Metric))
		for _, m := range f.Metric {
			byLabels[id(m)] = m
		}
		for _, o := range old.Metric {
			if m := byLabels[id(o)]; m != nil {
				add(m, o)
			} else if counts(f) {
				f.Metric = append(f.Metric, o)
			}
		}
	}
	return now
}

func counts(f *dto.MetricFamily) bool {
	return f.GetType() == dto.MetricType_COUNTER || f.GetType() == dto.MetricType_HISTOGRAM
}

// id is a metric's labels, which both sides have in the same order.
func id(m *dto.Metric) string {
	var b strings.Builder
	for _, l := range m.Label {
		fmt.Fprintf(&b, "%q=%q,", l.GetName(), l.GetValue())
	}
	return b.String()
}

func add(m, old *dto.Metric) {
	switch {
	case m.Counter != nil && old.Counter != nil:
		sum := m.Counter.GetValue() + old.Counter.GetValue()
		m.Counter = &dto.Counter{Value: &sum}
	case m.Histogram != nil && old.Histogram != nil:
		m.Histogram = addHistogram(m.Histogram, old.Histogram)
	}
}

func addHistogram(now, old *dto.Histogram) *dto.Histogram {
	count := now.GetSampleCount() + old.GetSampleCount()
	sum := now.GetSampleSum() + old.GetSampleSum()
	h := &dto.Histogram{SampleCount: &count, SampleSum: &sum}
	below := make(map[float64]uint64, len(old.Bucket))
	for _, b := range old.Bucket {
		below[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	for _, b := range now.Bucket {
		bound, n := b.GetUpperBound(), b.GetCumulativeCount()+below[b.GetUpperBound()]
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &n})
	}
	return h
}
