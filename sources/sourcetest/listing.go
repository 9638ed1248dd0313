package sourcetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// CheckListing says what is wrong with the form of a listing, whatever the
// backend said. Mechanisms may ask it in their own tests and fuzz targets, too.
func CheckListing(l target.Listing, operator bool) error {
	var errs []error
	if l.At.IsZero() {
		errs = append(errs, errors.New("the listing has no time"))
	}
	if len(l.Parts) == 0 {
		errs = append(errs, errors.New("the listing has no part"))
	}
	seen := map[string]bool{}
	for _, p := range l.Parts {
		if seen[p.Name] {
			errs = append(errs, fmt.Errorf("two parts are named %q", p.Name))
		}
		seen[p.Name] = true
		if err := checkPart(p, operator); err != nil {
			errs = append(errs, fmt.Errorf("part %q: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

func checkPart(p target.Part, operator bool) error {
	switch {
	case p.Name == "", !utf8.ValidString(p.Name), strings.ContainsFunc(p.Name, unicode.IsControl):
		return errors.New("the name is empty, no UTF-8, or has control characters")
	case p.Err != nil && len(p.Raw) > 0:
		return fmt.Errorf("an error (%w) came with %d targets: a part lists everything, or fails", p.Err, len(p.Raw))
	case p.Err != nil && p.Unchanged:
		return errors.New("a failed part can't know that it is unchanged")
	case p.Unchanged && (len(p.Raw) > 0 || len(p.Rejected) > 0):
		return errors.New("an unchanged part came with targets or rejections")
	}
	for _, r := range p.Raw {
		if err := checkRaw(r, operator); err != nil {
			return fmt.Errorf("target %s: %w", r.Labels, err)
		}
	}
	return nil
}

func checkRaw(r target.Raw, operator bool) error {
	if !r.Labels.Has(target.AddressLabel) {
		return errors.New("no __address__")
	}
	if !utf8.ValidString(r.Identity) {
		return fmt.Errorf("identity %q is no UTF-8", r.Identity)
	}
	return r.Labels.Validate(func(l labels.Label) error {
		switch {
		case !model.LegacyValidation.IsValidLabelName(l.Name):
			return fmt.Errorf("label name %q is not legal: sanitise it as Prometheus does", l.Name)
		case strings.HasPrefix(l.Name, target.OwnMetaPrefix):
			return fmt.Errorf("label %s is mcp-sd's own", l.Name)
		case !operator && !discoverable(l.Name):
			return fmt.Errorf("label %s is for the operator to set (contract §7)", l.Name)
		}
		return nil
	})
}

// discoverable are the labels that discovered metadata may set.
func discoverable(name string) bool {
	switch name {
	case target.AddressLabel, target.EnvironmentName, target.RegionName, target.VersionName:
		return true
	}
	return strings.HasPrefix(name, target.MetaPrefix)
}

// healthy is a checked listing without a failed part and with a target.
func healthy(l target.Listing, operator bool) error {
	if err := CheckListing(l, operator); err != nil {
		return err
	}
	if l.Source != SourceName {
		return fmt.Errorf("the listing says that it is of source %q instead of %q", l.Source, SourceName)
	}
	n := 0
	for _, p := range l.Parts {
		if p.Err != nil {
			return fmt.Errorf("part %q of a healthy backend failed: %w", p.Name, p.Err)
		}
		n += len(p.Raw)
	}
	if n == 0 {
		return errors.New("a healthy backend listed no target")
	}
	return nil
}

// view is what a reader of successive listings knows: each part's last good
// listing, and which parts failed in the latest one.
type view struct {
	good   map[string][]target.Raw
	failed map[string]error
}

func newView() view { return view{good: map[string][]target.Raw{}} }

// fold takes one listing in. It returns an error for one that says of a part
// that it is unchanged although it never was listed.
func (v *view) fold(l target.Listing) error {
	v.failed = map[string]error{}
	named := map[string]bool{}
	for _, p := range l.Parts {
		named[p.Name] = true
		_, known := v.good[p.Name]
		switch {
		case p.Err != nil:
			v.failed[p.Name] = p.Err
		case p.Unchanged && !known:
			return fmt.Errorf("part %q is unchanged, but was never listed", p.Name)
		case !p.Unchanged:
			v.good[p.Name] = p.Raw
		}
	}
	if len(v.failed) > 0 {
		return nil // what is absent stands
	}
	for name := range v.good {
		if !named[name] {
			delete(v.good, name)
		}
	}
	return nil
}

func (v *view) len() int {
	n := 0
	for _, raws := range v.good {
		n += len(raws)
	}
	return n
}

// same reports whether two views know the same targets in the same order; a
// part without targets counts as none.
func same(a, b view) bool {
	for _, pair := range [][2]view{{a, b}, {b, a}} {
		for name, raws := range pair[0].good {
			if !sameRaws(raws, pair[1].good[name]) {
				return false
			}
		}
	}
	return true
}

func sameRaws(a, b []target.Raw) bool {
	return slices.EqualFunc(a, b, func(x, y target.Raw) bool {
		return x.Identity == y.Identity && labels.Equal(x.Labels, y.Labels)
	})
}
