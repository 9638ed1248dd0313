package mcpregistry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	promconfig "github.com/prometheus/common/config"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

// Options is the block mcp_registry: of a source (contract §3). Settings of the
// HTTP client stand in it as in Prometheus' http_sd_config.
type Options struct {
	// Server is the URL of the registry, such as https://registry.example.com;
	// /v0.1/servers is asked below it.
	Server string `yaml:"server"`
	// NameRegex selects servers by name, anchored at both ends. Where others may
	// publish as well, it is what keeps their servers out.
	NameRegex string `yaml:"name_regex"`
	// Search has the registry itself select servers by a part of their name (some
	// want three characters at least), which spares pages; it is no protection
	// from what others publish.
	Search string `yaml:"search"`
	// Versions of a server to list: latest, or all that are not deleted.
	Versions string `yaml:"versions"`
	// IncludeDeprecated lists servers whose status is deprecated, too: they run
	// until somebody ends them.
	IncludeDeprecated bool `yaml:"include_deprecated"`

	HTTPClientConfig promconfig.HTTPClientConfig `yaml:",inline"`
}

// Values of Options.Versions.
const (
	latestVersion = "latest"
	allVersions   = "all"
)

// Default returns the options before YAML is decoded over them.
func Default() *Options {
	return &Options{
		Versions:          latestVersion,
		IncludeDeprecated: true,
		HTTPClientConfig:  promconfig.DefaultHTTPClientConfig,
	}
}

// SetDirectory resolves relative file names against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (o *Options) SetDirectory(dir string) { o.HTTPClientConfig.SetDirectory(dir) }

// Validate says what is wrong with the options, field by field. It looks at no
// file and asks nobody.
func (o *Options) Validate() []target.FieldError {
	var errs []target.FieldError
	check := func(field string, err error) {
		if err != nil {
			errs = append(errs, target.FieldError{Field: field, Err: err})
		}
	}
	check("server", checkServer(o.Server))
	if _, err := anchored(o.NameRegex); err != nil {
		check("name_regex", fmt.Errorf("%w: write a regular expression of Go (RE2)", err))
	}
	if o.Versions != latestVersion && o.Versions != allVersions {
		check("versions", fmt.Errorf("%q is unknown: write latest or all", o.Versions))
	}
	check(httpconfig.Field(&o.HTTPClientConfig), httpconfig.Copy(o.HTTPClientConfig).Validate())
	return errs
}

func checkServer(s string) error {
	const want = "write the URL of the registry, such as https://registry.example.com"
	if s == "" {
		return errors.New("is empty: " + want)
	}
	if strings.Contains(s, "@") {
		return errors.New("credentials in a URL would show in logs: use basic_auth or authorization")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q is no http or https URL, or has more than a path: %s", s, want)
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/servers"):
		return fmt.Errorf("%q: take /v0.1/servers off, it is added", s)
	}
	return nil
}

func anchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // "a)|(b" is one only with brackets around it
		return nil, err
	}
	if expr == "" {
		return regexp.MustCompile(""), nil
	}
	return regexp.Compile("^(?s:" + expr + ")$")
}

// Fingerprint changes when, and only when, an option changes that decides what
// is listed (contract §6).
func (o *Options) Fingerprint() string {
	b, err := json.Marshal(struct {
		Server, NameRegex, Search, Versions string
		IncludeDeprecated                   bool
	}{strings.TrimRight(o.Server, "/"), o.NameRegex, o.Search, o.Versions, o.IncludeDeprecated})
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
