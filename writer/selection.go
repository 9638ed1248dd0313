package writer

import (
	"crypto/md5" //nolint:gosec // not for secrecy: Prometheus' hashmod is defined by it
	"encoding/binary"
	"regexp"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// selects reports whether t goes to this output.
func (o *output) selects(t *target.Target) bool {
	return target.Selected(o.matchers, t.Address, t.Labels)
}

// shard is exactly what Prometheus' hashmod over __address__ gives: the last
// eight bytes of the MD5, big-endian, modulo the number of shards.
func (o *output) shard(t *target.Target) int {
	if o.Shards == 1 {
		return 0
	}
	sum := md5.Sum([]byte(t.Address)) //nolint:gosec // see the import
	return int(binary.BigEndian.Uint64(sum[8:]) % uint64(o.Shards))
}

// published are the labels of t in this output's files.
func (o *output) published(t *target.Target) target.Labels {
	if o.meta == nil || t.Meta.IsEmpty() {
		return t.Labels
	}
	return o.meta.merge(t.Labels, t.Meta)
}

// metaSelection adds the source's __meta_* labels that an output asks for.
type metaSelection struct {
	re     *regexp.Regexp
	chosen map[string]bool // by label name: there are few
	// What the last two assignments made, so that an unchanged target costs a
	// look-up.
	merged, before map[[2]target.Labels]target.Labels
}

func (s *metaSelection) nextPass() {
	s.before, s.merged = s.merged, make(map[[2]target.Labels]target.Labels, len(s.merged))
}

func (s *metaSelection) merge(own, meta target.Labels) target.Labels {
	k := [2]target.Labels{own, meta}
	l, ok := s.before[k]
	if !ok {
		if l, ok = s.merged[k]; ok {
			return l
		}
		l = s.build(own, meta)
	}
	if s.merged != nil {
		s.merged[k] = l
	}
	return l
}

// build lays own labels over the chosen ones of meta.
func (s *metaSelection) build(own, meta target.Labels) target.Labels {
	b := labels.NewBuilder(own)
	meta.Range(func(l labels.Label) {
		if s.takes(l.Name) && own.Get(l.Name) == "" {
			b.Set(l.Name, l.Value)
		}
	})
	return b.Labels()
}

func (s *metaSelection) takes(name string) bool {
	yes, known := s.chosen[name]
	if !known {
		yes = s.re.MatchString(name)
		s.chosen[name] = yes
	}
	return yes
}
