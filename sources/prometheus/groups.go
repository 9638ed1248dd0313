package prometheus

import (
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/mcp-sd/mcp-sd/target"
)

// groups are a mechanism's target groups by their Source, as Prometheus keeps
// them: one that is sent replaces the one before, one that is sent empty is gone,
// and one that is not sent again is kept. What was read of a group is kept until
// the group says something else, since most are sent again as they were.
type groups struct {
	traits traits
	seed   maphash.Seed
	read   map[string]read // by the groups' Source
	all    listed          // of all of them, if it is not stale
	stale  bool
}

// read is what was read of a group with this fingerprint. The group itself is its
// mechanism's, which may change it and send it again.
type read struct {
	of uint64
	listed
}

// listed is what a mechanism's groups say in mcp-sd's terms.
type listed struct {
	raws     []target.Raw
	rejected []target.Rejection
}

func (l listed) equal(o listed) bool {
	return slices.Equal(l.rejected, o.rejected) && slices.EqualFunc(l.raws, o.raws, same)
}

func same(a, b target.Raw) bool { return a.Identity == b.Identity && labels.Equal(a.Labels, b.Labels) }

func newGroups(t traits) *groups {
	return &groups{traits: t, seed: maphash.MakeSeed(), read: map[string]read{}, stale: true}
}

func (g *groups) merge(sent []*targetgroup.Group) {
	for _, one := range sent {
		if one == nil {
			continue
		}
		before, known := g.read[one.Source]
		if len(one.Targets) == 0 {
			delete(g.read, one.Source)
			g.stale = g.stale || known
			continue
		}
		if of := g.fingerprint(one); !known || of != before.of {
			g.read[one.Source] = read{of, g.traits.read(one)}
			g.stale = true
		}
	}
}

// fingerprint is of all that a group says. The labels of a set have no order, its
// targets have.
func (g *groups) fingerprint(one *targetgroup.Group) uint64 {
	const order = 0x9e3779b97f4a7c15 // odd, so that no place is lost
	sum := g.labels(one.Labels)
	for _, set := range one.Targets {
		sum = sum*order + g.labels(set)
	}
	return sum
}

func (g *groups) labels(set model.LabelSet) (sum uint64) {
	for name, value := range set {
		sum += maphash.Comparable(g.seed, [2]string{string(name), string(value)})
	}
	return sum
}

// list orders targets by their labels, because mechanisms that ask for several
// things side by side have no order of their own.
func (g *groups) list() listed {
	if !g.stale {
		return g.all
	}
	g.all, g.stale = listed{raws: []target.Raw{}}, false
	for _, r := range g.read {
		g.all.raws = append(g.all.raws, r.raws...)
		g.all.rejected = append(g.all.rejected, r.rejected...)
	}
	slices.SortFunc(g.all.raws, func(a, b target.Raw) int { return labels.Compare(a.Labels, b.Labels) })
	g.all.raws = slices.CompactFunc(g.all.raws, same)
	return g.all
}

// read says what a group lists.
func (t traits) read(group *targetgroup.Group) (out listed) {
	for _, one := range group.Targets {
		set := speak(group.Labels, one)
		if set[target.AddressLabel] == "" {
			out.rejected = append(out.rejected, target.Rejection{Reason: "bad_address", Detail: "the mechanism gave it no address"})
			continue
		}
		t.standard(set)
		out.raws = append(out.raws, target.Raw{Identity: first(set, t.identity), Labels: labels.FromMap(set)})
	}
	return out
}

// speak joins the labels of a group and of one of its targets, which win, in
// names that discovered data may have.
func speak(group, one model.LabelSet) map[string]string {
	set := make(map[string]string, len(group)+len(one)+4)
	for _, from := range []model.LabelSet{group, one} {
		for _, name := range slices.Sorted(maps.Keys(from)) { // of two that become the same name always the same one counts
			if legal := allowed(string(name)); legal != "" {
				set[legal] = string(from[name])
			}
		}
	}
	if u, err := url.Parse(set["__meta_url"]); err == nil && u.User != nil {
		set["__meta_url"] = u.Redacted() // http_sd's own; the inventory is shown to many
	}
	for name, value := range set {
		if value == "" {
			delete(set, name)
		}
	}
	return set
}

// allowed is the name under which a label is listed; "" drops it. What discovered
// data may not set (contract §7) is offered to relabel_configs instead:
// __metrics_path__ as __meta_prometheus_metrics_path. What another mcp-sd says of
// its own work does not count here. What a name looks like once it is legal is what
// counts: "\x80_meta_mcp_sd_health" would be one of them.
func allowed(name string) string {
	if name == "" {
		return ""
	}
	name = strutil.SanitizeFullLabelName(name)
	switch {
	case name == target.AddressLabel:
		return name
	case strings.HasPrefix(name, target.OwnMetaPrefix), strings.HasPrefix(name, target.TmpPrefix):
		return ""
	case strings.HasPrefix(name, target.MetaPrefix):
		return name
	case strings.HasPrefix(name, "__"), name == model.JobLabel, name == model.InstanceLabel:
		return target.MetaPrefix + "prometheus_" + strings.Trim(name, "_")
	}
	return name
}

// standard fills environment, region and version in from tags, unless they are
// there already (contract §4).
func (t traits) standard(set map[string]string) {
	fill := func(name string, spellings ...string) {
		if set[name] != "" {
			return
		}
		if v := t.tagged(set, spellings); v != "" {
			set[name] = v
		}
	}
	fill(target.EnvironmentName, "environment", "Environment", "env", "Env")
	fill(target.VersionName, "version", "Version")
	if v := first(set, t.region); set[target.RegionName] == "" && v != "" {
		if t.regionOf != nil {
			v = t.regionOf(v)
		}
		set[target.RegionName] = v
	}
	fill(target.RegionName, "region", "Region")
	if set[target.RegionName] == "" && t.asked != "" {
		set[target.RegionName] = t.asked
	}
}

// tagged is the value of the first tag that is set.
func (t traits) tagged(set map[string]string, names []string) string {
	for _, name := range names {
		for _, prefix := range t.tags {
			if v := set[prefix+name]; v != "" {
				return v
			}
		}
		for _, list := range t.lists {
			for tag := range strings.SplitSeq(set[list], t.separator) {
				// DigitalOcean's tags can't have a "=".
				if v, ok := strings.CutPrefix(tag, name); ok && len(v) > 1 && (v[0] == '=' || v[0] == ':') {
					return v[1:]
				}
			}
		}
	}
	return ""
}

// first is the value of the first label that is set.
func first(set map[string]string, names []string) string {
	for _, name := range names {
		if v := set[name]; v != "" {
			return v
		}
	}
	return ""
}
