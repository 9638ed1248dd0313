package exec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/units"
	promconfig "github.com/prometheus/common/config"

	"github.com/mcp-sd/mcp-sd/target"
)

// Options is the block exec: of a source (contract §3).
type Options struct {
	// Command is the program and its arguments. No shell is between: nothing in
	// it is expanded. A path with a slash is absolute, or relative to the
	// directory of the configuration file; a name without one is looked up in
	// the PATH that mcp-sd has itself.
	Command []string `yaml:"command"`
	// Env of the program beside PATH, which is mcp-sd's own, and
	// CREDENTIALS_DIRECTORY where systemd set one. The values are never shown.
	Env map[string]promconfig.Secret `yaml:"env"`
	// WorkingDirectory of the program; that of the configuration file if empty.
	WorkingDirectory string `yaml:"working_directory"`
	// OutputLimit is the most that a listing may have; more is a failure.
	OutputLimit units.Base2Bytes `yaml:"output_limit"`
}

const defaultLimit = 16 * units.MiB

// Default returns the options before YAML is decoded over them.
func Default() *Options { return &Options{OutputLimit: defaultLimit} }

// SetDirectory resolves relative paths against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (o *Options) SetDirectory(dir string) {
	o.WorkingDirectory = cmp.Or(promconfig.JoinDir(dir, o.WorkingDirectory), dir)
	if len(o.Command) > 0 && strings.Contains(o.Command[0], "/") {
		o.Command = slices.Clone(o.Command)
		o.Command[0] = promconfig.JoinDir(dir, o.Command[0])
	}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate says what is wrong with the options, field by field. Whether the
// program is there is seen when it is run: it may come and go as any backend.
func (o *Options) Validate() []target.FieldError {
	var errs []target.FieldError
	add := func(field string, err error) { errs = append(errs, target.FieldError{Field: field, Err: err}) }
	if len(o.Command) == 0 || o.Command[0] == "" {
		add("command", errors.New("is empty: write the program and its arguments, such as [/usr/local/bin/inventory, --env=production]"))
	} else if name := o.Command[0]; len(o.Command) == 1 && strings.ContainsAny(name, " \t") {
		add("command[0]", fmt.Errorf("%q has a space in it: write the program and each argument by itself, as no shell takes them apart", name))
	}
	for i, arg := range o.Command {
		if strings.ContainsRune(arg, 0) {
			add(fmt.Sprintf("command[%d]", i), errors.New("has a zero byte, which no argument can have"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		if !variable.MatchString(name) {
			add("env."+name, fmt.Errorf("%q is no name of a variable: write letters, digits and _", name))
		}
		if strings.ContainsRune(string(o.Env[name]), 0) {
			add("env."+name, errors.New("has a zero byte, which no variable can have"))
		}
	}
	if o.OutputLimit <= 0 {
		add("output_limit", errors.New("must be more than 0B"))
	}
	return errs
}

// Fingerprint is of what decides what is listed (contract §6). Values of
// variables may be credentials, so they count as such: only their names are in
// it.
func (o *Options) Fingerprint() string {
	text, err := json.Marshal(struct {
		Command, Env []string
		Directory    string
	}{o.Command, slices.Sorted(maps.Keys(o.Env)), o.WorkingDirectory})
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
