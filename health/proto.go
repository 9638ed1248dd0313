package health

import (
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	maxVarint  = 10
	fieldName  = 1 // of MetricFamily
	fieldType  = 3
	nameLength = 1 << 10
)

// readProto reads a body of delimited MetricFamily messages to its end. The
// first family with a sample must decode; of the others only the names are
// looked at. A message longer than the window is judged by its name.
func readProto(w *window, f *finds) (samples bool, err error) {
	for {
		head := w.need(maxVarint)
		size, n := protowire.ConsumeVarint(head)
		switch {
		case n < 0 && len(head) == maxVarint:
			return samples, errNotMetrics
		case n < 0 && w.hi == w.lo: // the end, or nothing at all
			return samples, nil
		case n < 0:
			return samples, brokenProto(w, samples)
		}
		w.take(n)
		message := w.need(int(min(size, uint64(len(w.buf)))))
		whole := uint64(len(message)) == size
		if !whole && len(message) < len(w.buf) {
			return samples, brokenProto(w, samples)
		}
		if !samples {
			if samples, err = decodes(message, whole); err != nil {
				return false, err
			}
		}
		f.family(message, whole)
		if !w.skip(size) {
			return samples, brokenProto(w, samples)
		}
	}
}

// brokenProto tells an answer that was cut from one that never was protobuf.
func brokenProto(w *window, samples bool) error {
	if w.err != io.EOF {
		return nil // the stream itself says why
	}
	if samples {
		return io.ErrUnexpectedEOF
	}
	return errNotMetrics
}

// decodes reports whether a family has a sample.
func decodes(message []byte, whole bool) (samples bool, err error) {
	if !whole {
		name := familyName(message)
		if len(name) == 0 || len(name) > nameLength || !model.UTF8Validation.IsValidMetricName(string(name)) {
			return false, errNotMetrics
		}
		return true, nil
	}
	var family dto.MetricFamily
	if proto.Unmarshal(message, &family) != nil || !model.UTF8Validation.IsValidMetricName(family.GetName()) {
		return false, errNotMetrics
	}
	return len(family.GetMetric()) > 0, nil
}

// familyName finds the name among a message's fields.
func familyName(message []byte) []byte {
	name, _ := familyHead(message)
	return name
}

// familyHead finds name and type among a message's fields without decoding the
// samples. In practice both stand in front of them.
func familyHead(message []byte) (name []byte, typ dto.MetricType) {
	for len(message) > 0 {
		num, wt, n := protowire.ConsumeTag(message)
		if n < 0 {
			return name, typ
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(num, wt, message); n < 0 {
			return name, typ
		}
		switch {
		case num == fieldName && wt == protowire.BytesType:
			name, _ = protowire.ConsumeBytes(message)
		case num == fieldType && wt == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(message)
			typ = dto.MetricType(v)
		}
		message = message[n:]
	}
	return name, typ
}

// family notes the name of a family, and the version where it tells one.
func (f *finds) family(message []byte, whole bool) {
	name, typ := familyHead(message)
	f.recognise(name)
	if f.missing > 0 {
		f.see(name)
		if typ == dto.MetricType_HISTOGRAM || typ == dto.MetricType_SUMMARY {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} { // as Prometheus will name them
				f.see(append(name[:len(name):len(name)], suffix...))
			}
		}
	}
	rank, label := versionIn(name)
	if rank == 0 || !whole {
		return
	}
	var family dto.MetricFamily
	if proto.Unmarshal(message, &family) != nil {
		return
	}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if n := l.GetName(); n == label || rank == 1 && n == "service.version" {
				f.version.offer(rank, string(name), l.GetValue())
			}
		}
	}
}
