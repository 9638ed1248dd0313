package discovery

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mcp-sd/mcp-sd/target"
)

// knowing is a Source of two parts, one of them empty, that keeps what it was
// told.
type knowing struct {
	*fleet
	known []string
	asked bool // before it was told
}

func (k *knowing) Know(parts []string) { k.known = parts }

func (k *knowing) Discover(ctx context.Context) target.Listing {
	k.asked = k.asked || k.known == nil
	l := k.fleet.Discover(ctx)
	l.Parts = append(l.Parts, target.Part{Name: "empty"})
	return l
}

// A source learns which of its parts have targets before it is asked: after a
// restart, in a single pass, and when a reload builds it anew, whatever else the
// reload changes. Otherwise it would not miss them (contract §4).
func TestSourcesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one)
		tells := func(why string, want []string, take func(Setup)) {
			t.Helper()
			k := &knowing{fleet: r.fleet}
			s := r.setup()
			s.Sources[0].Source = k
			s.Sources[0].Fingerprint = why
			take(s)
			synctest.Wait()
			if !slices.Equal(k.known, want) || want != nil && k.asked {
				t.Errorf("%s: told %q, want %q; asked before it was told: %t", why, k.known, want, k.asked)
			}
		}
		tells("nothing is known", nil, func(s Setup) { r.startWith(t, s) })
		tells("a reload", []string{"p"}, func(s Setup) { r.setups <- s })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		tells("a restart", []string{"p"}, func(s Setup) { r.startWith(t, s) })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		tells("a single pass", []string{"p"}, func(s Setup) {
			r.make()
			if _, err := r.engine.Once(t.Context(), s, OnceOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	})
}
