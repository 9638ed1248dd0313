package amazon

import (
	"fmt"
	"os"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"
)

// Access says who asks, where and how: the keys that the blocks of all
// mechanisms for Amazon's services have (contract §4). Those that Prometheus
// also has keep its names and meaning.
//
// What is not set comes from where all AWS tools look: the environment, the
// shared configuration files, the container, the instance.
type Access struct {
	// Endpoint of the mechanism's API, for private ones; {region} in it stands
	// for the region of each part.
	Endpoint string `yaml:"endpoint"`
	// Region to list; if empty, that of the environment or the profile, else
	// that of the instance which mcp-sd runs on.
	Region string `yaml:"region"`
	// Regions to list, several at once.
	Regions []string `yaml:"regions"`

	// AccessKey and secret_key stand in for the standard chain of credentials.
	AccessKey string `yaml:"access_key"`
	// SecretKey to access_key.
	SecretKey promconfig.Secret `yaml:"secret_key"`
	// SecretKeyFile is read again when the key is refused.
	SecretKeyFile string `yaml:"secret_key_file"`
	// Profile of the shared configuration files.
	Profile string `yaml:"profile"`
	// RoleARN is the role to assume.
	RoleARN string `yaml:"role_arn"`
	// RoleARNs are roles in several accounts; each is listed in each region.
	RoleARNs []string `yaml:"role_arns"`
	// ExternalID that goes with every role.
	ExternalID string `yaml:"external_id"`
	// RoleSessionName is how CloudTrail names who used a role.
	RoleSessionName string `yaml:"role_session_name"`

	HTTPClientConfig promconfig.HTTPClientConfig `yaml:",inline"`
}

// DefaultAccess holds where the configuration is silent: it is Prometheus'.
func DefaultAccess() Access {
	return Access{RoleSessionName: "mcp-sd", HTTPClientConfig: promconfig.DefaultHTTPClientConfig}
}

// SetDirectory resolves relative file names against dir, the directory of the
// configuration file. It is Prometheus' promconfig.DirectorySetter.
func (a *Access) SetDirectory(dir string) {
	a.SecretKeyFile = promconfig.JoinDir(dir, a.SecretKeyFile)
	a.HTTPClientConfig.SetDirectory(dir)
}

// AllRegions are those to list, sorted; "" is the one to be found out.
func (a *Access) AllRegions() []string {
	if len(a.Regions) > 0 {
		return Sorted(a.Regions)
	}
	return []string{a.Region}
}

// AllRoles are those to assume, sorted; "" is none.
func (a *Access) AllRoles() []string {
	if len(a.RoleARNs) > 0 {
		return Sorted(a.RoleARNs)
	}
	return []string{a.RoleARN}
}

// Sorted returns a sorted copy without repetitions.
func Sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// secretKey returns the secret key, wherever it is written.
func (a *Access) secretKey() (string, error) {
	if a.SecretKeyFile == "" {
		return string(a.SecretKey), nil
	}
	b, err := os.ReadFile(a.SecretKeyFile)
	if err != nil {
		return "", fmt.Errorf("reading the secret key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" {
		return "", fmt.Errorf("%s is empty: write the secret key into it", a.SecretKeyFile)
	}
	return key, nil
}

// trustBundle has the certificates of AWS_CA_BUNDLE trusted, as AWS' own tools
// do, unless the configuration has others.
func (a *Access) trustBundle() {
	tls := &a.HTTPClientConfig.TLSConfig
	if tls.CA == "" && tls.CAFile == "" {
		tls.CAFile = os.Getenv("AWS_CA_BUNDLE")
	}
}
