package mcpregistry

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// overlap is how much of what is known already is asked for again: what was
// written by a slow transaction, or by a machine whose clock is behind, becomes
// visible with a time that has passed.
const overlap = 5 * time.Minute

// inventory is all that a registry lists: what its last full listing had, and
// the changes since.
type inventory struct {
	selected   *regexp.Regexp // names of servers
	latestOnly bool           // of each server, only the latest version
	deprecated bool           // is listed, too

	servers map[string]versions // by name
	newest  time.Time           // change that it has; by the registry's clock, as all times here
	asked   time.Time           // when the last listing began; zero if the registry did not tell
	tells   bool                // of every server, when it changed last and whether it is the latest
}

// versions of one server.
type versions map[string]*server

// A server in one of its versions.
type server struct {
	version  string
	status   string
	latest   bool
	updated  time.Time
	raws     []target.Raw
	rejected []target.Rejection
}

// replace makes a full listing the inventory.
func (v *inventory) replace(l *listing) {
	v.servers, v.newest, v.asked, v.tells = map[string]versions{}, time.Time{}, l.began, true
	v.note(l.entries)
	for i := range l.entries {
		v.put(&l.entries[i])
	}
}

// note remembers how new a listing is, and whether changes can be asked for.
func (v *inventory) note(entries []entry) {
	for i := range entries {
		official := &entries[i].Meta.Official
		if official.UpdatedAt.After(v.newest) {
			v.newest = official.UpdatedAt.Time
		}
		v.tells = v.tells && !official.UpdatedAt.IsZero() && official.IsLatest != nil
	}
}

// put takes one version of a server in. Of one that was on two pages, because
// something changed meanwhile, the newer counts.
func (v *inventory) put(e *entry) {
	if !v.selected.MatchString(e.Server.Name) {
		return
	}
	all := v.servers[e.Server.Name]
	if all == nil {
		all = versions{}
		v.servers[e.Server.Name] = all
	}
	if old := all[e.Server.Version]; old != nil && old.updated.After(e.Meta.Official.UpdatedAt.Time) {
		return
	}
	s := &server{
		version: e.Server.Version, status: e.status(),
		latest: e.isLatest(), updated: e.Meta.Official.UpdatedAt.Time,
	}
	if s.status != statusDeleted {
		s.raws, s.rejected = e.describe()
	}
	all[s.version] = s
}

func (e *entry) isLatest() bool { return e.Meta.Official.IsLatest != nil && *e.Meta.Official.IsLatest }

// since is the time from which on changes have to be asked for. It is the
// registry's own: the newest change that it told, or, should that lie in the
// future, when it was asked last.
func (v *inventory) since() (since time.Time, known bool) {
	if !v.tells || v.newest.IsZero() {
		return time.Time{}, false
	}
	since = v.newest
	if !v.asked.IsZero() && v.asked.Before(since) {
		since = v.asked
	}
	return since.Add(-overlap).Truncate(time.Second), true
}

// filtered reports whether a registry understood updated_since.
func filtered(entries []entry, since time.Time) bool {
	return !slices.ContainsFunc(entries, func(e entry) bool { return e.Meta.Official.UpdatedAt.Before(since) })
}

// apply takes changes in and reports true, or leaves everything as it is and
// reports false where they do not say which version of a server is the latest now.
func (v *inventory) apply(l *listing) bool {
	current := map[string]bool{} // servers whose latest version is among the changes
	for i := range l.entries {
		if e := &l.entries[i]; e.isLatest() {
			current[e.Server.Name] = true
		}
	}
	if slices.ContainsFunc(l.entries, func(e entry) bool { return !current[e.Server.Name] && v.unclear(&e) }) {
		return false
	}
	v.asked = l.began
	v.note(l.entries)
	if v.latestOnly {
		for name := range current {
			delete(v.servers, name)
		}
	}
	for i := range l.entries {
		if e := &l.entries[i]; !v.latestOnly || e.isLatest() {
			v.put(e)
		}
	}
	return true
}

// unclear reports whether with a change to a version that is not the latest
// another one may have become it: when the latest version is deleted, the
// registry's own server tells of no change to the one before.
func (v *inventory) unclear(e *entry) bool {
	if e.Meta.Official.IsLatest == nil || e.Meta.Official.UpdatedAt.IsZero() {
		return true
	}
	all, known := v.servers[e.Server.Name]
	old := all[e.Server.Version]
	switch {
	case old != nil && old.latest:
		return true
	case !v.latestOnly || e.status() == statusDeleted && (old == nil || old.status == statusDeleted):
		return false
	case old != nil:
		return true
	}
	return !known && v.selected.MatchString(e.Server.Name)
}

// list is everything that there is to list, ordered by name, version and remote.
func (v *inventory) list() (raws []target.Raw, rejected []target.Rejection) {
	for _, name := range slices.Sorted(maps.Keys(v.servers)) {
		seen := map[string]bool{} // remotes of newer versions
		for _, s := range v.chosen(v.servers[name]) {
			for _, raw := range s.raws {
				if !seen[raw.Labels.Get(metaPrefix+"remote_url")] {
					raws = append(raws, raw)
				}
			}
			for _, raw := range s.raws {
				seen[raw.Labels.Get(metaPrefix+"remote_url")] = true
			}
			rejected = append(rejected, s.rejected...)
		}
	}
	return raws, rejected
}

// chosen are the versions of a server that count, the newest first. Where only
// the latest does and the registry does not say which it is, all that it gave do.
func (v *inventory) chosen(all versions) []*server {
	sorted := slices.SortedFunc(maps.Values(all), func(a, b *server) int {
		return cmp.Or(first(a.latest, b.latest), b.updated.Compare(a.updated), strings.Compare(b.version, a.version))
	})
	if v.latestOnly && len(sorted) > 0 && sorted[0].latest {
		sorted = sorted[:1]
	}
	return slices.DeleteFunc(sorted, func(s *server) bool {
		return s.status == statusDeleted || s.status == statusDeprecated && !v.deprecated
	})
}

// first orders what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
