package writer

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Bytes that no UTF-8 string holds, so that no two lists read alike.
const (
	fieldEnd  = 0xff
	targetEnd = 0xfe
)

// hash is the first 48 bits of a SHA-256 over addresses and labels, without the
// __meta_ ones: replicas that publish the same targets have the same hash,
// whatever health they see, and a float64 holds it exactly (contract §10).
func (g *grouping) hash(es []entry) uint64 {
	encoded := make([]string, len(g.groups))
	for i, gr := range g.groups {
		encoded[i] = encodeIdentity(gr.labels)
	}
	h := sha256.New()
	var buf []byte
	var run []string
	for i := 0; i < len(es); {
		address := es[i].key.Address
		run = run[:0]
		for ; i < len(es) && es[i].key.Address == address; i++ {
			run = append(run, encoded[g.of[i]])
		}
		slices.Sort(run)
		for _, r := range slices.Compact(run) {
			buf = append(buf, address...)
			buf = append(buf, fieldEnd)
			buf = append(buf, r...)
			buf = append(buf, targetEnd)
		}
		if len(buf) > 1<<12 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	sum := h.Sum(nil)
	return binary.BigEndian.Uint64(sum) >> 16
}

func encodeIdentity(l target.Labels) string {
	var b strings.Builder
	l.Range(func(lb labels.Label) {
		if strings.HasPrefix(lb.Name, target.MetaPrefix) {
			return
		}
		b.WriteString(lb.Name)
		b.WriteByte(fieldEnd)
		b.WriteString(lb.Value)
		b.WriteByte(fieldEnd)
	})
	return b.String()
}
