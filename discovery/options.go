package discovery

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// GuardOptions bound what may leave at once (contract §6). Any key may be
// overridden per source.
type GuardOptions struct {
	// MaxRemovedRatio is the share that may leave within the window, of the most
	// targets that were published for the source in it.
	MaxRemovedRatio float64 `yaml:"max_removed_ratio"`
	// MinRemoved may leave within the window whatever the ratio says.
	MinRemoved int `yaml:"min_removed"`
	// Window is the time over which removals are counted.
	Window model.Duration `yaml:"window"`
	// ConfirmAfter is for how long every listing must lack a held target that is
	// down before it leaves.
	ConfirmAfter model.Duration `yaml:"confirm_after"`
	// AllowEmpty says whether the last target of a source may leave.
	AllowEmpty bool `yaml:"allow_empty"`
}

// DefaultGuardOptions are those of contract §3.
func DefaultGuardOptions() GuardOptions {
	return GuardOptions{
		MaxRemovedRatio: 0.3,
		MinRemoved:      2,
		Window:          model.Duration(10 * time.Minute),
		ConfirmAfter:    model.Duration(3 * time.Minute),
	}
}

// Validate says what is wrong with the options, field by field.
func (o GuardOptions) Validate() []target.FieldError {
	var errs []target.FieldError
	if o.MaxRemovedRatio < 0 || o.MaxRemovedRatio > 1 {
		errs = append(errs, target.FieldError{Field: "max_removed_ratio", Err: fmt.Errorf("%g is not a share: write a number from 0 to 1", o.MaxRemovedRatio)})
	}
	if o.MinRemoved < 0 {
		errs = append(errs, target.FieldError{Field: "min_removed", Err: fmt.Errorf("%d is negative: write 0 or more", o.MinRemoved)})
	}
	if o.Window <= 0 {
		errs = append(errs, target.FieldError{Field: "window", Err: errors.New("must be longer than 0s")})
	}
	return errs
}

// VersionOptions say where the version label comes from (contract §3, §5).
type VersionOptions struct {
	// From says where the version is looked for: in what the source says, then in
	// the server's own metrics, then, if mcp is among them, in what the server
	// answers where its source has a block mcp.
	From []string `yaml:"from"`
	// Label that carries it; if empty, it is published as __meta_mcp_sd_version
	// only.
	Label string `yaml:"label"`
}

// Where a version can come from.
const (
	FromSource  = "source"
	FromMetrics = "metrics"
	FromMCP     = "mcp"
)

// DefaultVersionOptions are those of contract §3.
func DefaultVersionOptions() VersionOptions {
	return VersionOptions{From: []string{FromSource, FromMetrics}, Label: target.VersionName}
}

// Validate says what is wrong with the options, field by field.
func (o VersionOptions) Validate() []target.FieldError {
	var errs []target.FieldError
	for i, f := range o.From {
		field := fmt.Sprintf("from[%d]", i)
		switch {
		case f != FromSource && f != FromMetrics && f != FromMCP:
			errs = append(errs, target.FieldError{Field: field, Err: fmt.Errorf("%q is unknown: write %s, %s or %s", f, FromSource, FromMetrics, FromMCP)})
		case slices.Index(o.From, f) < i:
			errs = append(errs, target.FieldError{Field: field, Err: fmt.Errorf("%q is there twice", f)})
		}
	}
	if o.Label != "" && !labelName(o.Label) {
		errs = append(errs, target.FieldError{Field: "label", Err: fmt.Errorf(`%q is no label name: letters, digits and _, not beginning with a digit or __ ("" publishes it as %s only)`, o.Label, target.VersionLabel)})
	}
	return errs
}

func labelName(s string) bool {
	return model.LegacyValidation.IsValidLabelName(s) && (len(s) < 2 || s[:2] != "__")
}
