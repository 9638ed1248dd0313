package static

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/mcp-sd/mcp-sd/target"
)

// Group is one item of Prometheus' static_configs: addresses, and the labels
// that they share.
type Group struct {
	// Targets are addresses, each host:port.
	Targets []string `yaml:"targets" json:"targets"`
	// Labels that they share.
	Labels map[string]string `yaml:"labels" json:"labels,omitempty"`
}

// Options is the `static` block of a source (contract §3, §4).
type Options struct {
	// Targets is a whole static_configs list, as prometheus.yml has it.
	Targets []Group `yaml:"targets" json:"targets,omitempty"`
	// Files are paths of file_sd files, absolute or relative to the directory
	// of the configuration file. The last element may hold a *, and must end in
	// .json, .yml or .yaml.
	Files []string `yaml:"files" json:"files,omitempty"`
}

// Default returns the options before YAML is decoded over them.
func Default() *Options { return &Options{} }

// fileName is what Prometheus' file_sd_configs takes.
var fileName = regexp.MustCompile(`^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`)

// Validate says what is wrong with the options, field by field. An address that
// could not be published as it stands has target.ErrAddress in its chain: where
// the source's relabel_configs rewrite addresses, it may be none.
func (o *Options) Validate() []target.FieldError {
	var errs []target.FieldError
	if o.Targets == nil && len(o.Files) == 0 {
		errs = append(errs, target.FieldError{Field: "targets", Err: errors.New("nothing to list: write targets, files, or both")})
	}
	for i, g := range o.Targets {
		errs = append(errs, g.validate(fmt.Sprintf("targets[%d]", i))...)
	}
	for i, name := range o.Files {
		if err := checkFileName(name); err != nil {
			errs = append(errs, target.FieldError{Field: fmt.Sprintf("files[%d]", i), Err: err})
		}
	}
	return errs
}

func (g Group) validate(field string) []target.FieldError {
	var errs []target.FieldError
	add := func(where string, err error) {
		if err != nil {
			errs = append(errs, target.FieldError{Field: field + where, Err: err})
		}
	}
	for i, addr := range g.Targets {
		add(fmt.Sprintf(".targets[%d]", i), checkAddress(addr))
	}
	for _, name := range slices.Sorted(maps.Keys(g.Labels)) {
		add(".labels."+name, target.CheckOperatorLabel(name, g.Labels[name]))
	}
	return errs
}

// checkAddress asks for what no allow_cidrs could permit, too.
func checkAddress(addr string) error {
	if err := (target.AddressPolicy{Loopback: true}).CheckHostPort(addr); errors.Is(err, target.ErrDenied) {
		return fmt.Errorf("%w: %w", target.ErrAddress, err)
	}
	return target.CheckAddress(addr)
}

func checkFileName(name string) error {
	if !fileName.MatchString(name) {
		return fmt.Errorf("%q is no path of targets files: it must end in .json, .yml or .yaml, and only its last element may hold a *", name)
	}
	if _, err := filepath.Match(filepath.Base(name), ""); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

// Fingerprint is of everything here: all of it decides what is listed.
func (o *Options) Fingerprint() string {
	text, err := json.Marshal(o) // maps come out sorted
	if err != nil {
		return err.Error() // strings, lists and maps of strings can't fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
