package metrics

import "github.com/prometheus/client_golang/prometheus"

// The vectors of client_golang behind the one method that picks a series, so
// that no value gets into a label without its words having been asked.
type (
	counter struct {
		vec    *prometheus.CounterVec
		labels []label
	}
	gauge struct {
		vec    *prometheus.GaugeVec
		labels []label
	}
	histogram struct {
		vec    *prometheus.HistogramVec
		labels []label
	}
)

func (c counter) with(values ...string) prometheus.Counter {
	return c.vec.WithLabelValues(bounded(c.labels, values)...)
}

func (g gauge) with(values ...string) prometheus.Gauge {
	return g.vec.WithLabelValues(bounded(g.labels, values)...)
}

func (h histogram) with(values ...string) prometheus.Observer {
	return h.vec.WithLabelValues(bounded(h.labels, values)...)
}

func bounded(l []label, values []string) []string {
	all := make([]string, len(l))
	for i := range l {
		all[i] = l[i].words.bounded(values[i])
	}
	return all
}

// zeroed begins every series with 0 where all that there can be are declared.
func (c counter) zeroed() counter {
	for _, values := range combinations(c.labels) {
		c.vec.WithLabelValues(values...)
	}
	return c
}

func (g gauge) zeroed() gauge {
	for _, values := range combinations(g.labels) {
		g.vec.WithLabelValues(values...)
	}
	return g
}

// combinations are all that the declared words of some labels make; none where
// a label has none, or where they would be too many to begin with.
func combinations(l []label) [][]string {
	const tooMany = 500
	all := [][]string{nil}
	for _, x := range l {
		var next [][]string
		for _, values := range all {
			for _, word := range x.words.declared {
				next = append(next, append(values[:len(values):len(values)], word))
			}
		}
		if all = next; len(all) > tooMany {
			return nil
		}
	}
	return all
}
