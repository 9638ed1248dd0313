package prometheus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/target"
)

// Validate says what is wrong with the block beyond what Prometheus' library said
// when it decoded the items: what is not there, and what does not belong here.
func (o *Options) Validate() []target.FieldError {
	var errs []target.FieldError
	add := func(field string, err error) { errs = append(errs, target.FieldError{Field: field, Err: err}) }
	absent := o.known()
	for _, name := range slices.Sorted(maps.Keys(absent)) {
		if absent[name] {
			add(name+"_sd_configs", fmt.Errorf("this mcp-sd was built without it: build it with -tags=enable_%s_sd", traitsOf(name).tag(name)))
		}
	}
	for _, n := range o.numbered() {
		if _, ok := absent[n.config.Name()]; !ok {
			key, advice := foreign(n.config.Name())
			add(key, errors.New(advice))
		}
	}
	if len(errs) == 0 && len(o.Configs) == 0 {
		add("", errors.New("has no list: write one of Prometheus' *_sd_configs, such as dns_sd_configs, as it stands in prometheus.yml"))
	}
	return errs
}

// foreign says where to put a mechanism that Prometheus' library knows in this
// program, though it is none of this block: another part of mcp-sd has linked it.
func foreign(name string) (key, advice string) {
	switch name {
	case "static":
		return "static_configs", "mcp-sd has its own: put the list under static.targets, in a source of its own"
	case "file":
		return "file_sd_configs", "mcp-sd has its own: put the files under static.files, in a source of its own"
	case "consul", "ec2", "ecs":
		return name + "_sd_configs", "mcp-sd has its own: put one item of the list under " + name + ", in a source of its own"
	}
	return name + "_sd_configs", "mcp-sd can't discover that way"
}

// fields are the lists in the fields of the keys.
func (o *Options) fields() iter.Seq2[string, []Item] {
	return func(yield func(string, []Item) bool) {
		v := reflect.ValueOf(o).Elem()
		for i := range v.NumField() {
			items, ok := v.Field(i).Interface().([]Item)
			if ok && !yield(v.Type().Field(i).Tag.Get("yaml"), items) {
				return
			}
		}
	}
}

// RefreshInterval is the longest of the items', so that each has answered anew
// when the source says that it lists what it did; 0 where none has one.
func (o *Options) RefreshInterval() time.Duration {
	var longest time.Duration
	for _, c := range o.Configs {
		longest = max(longest, durationOf(c, "refresh_interval"))
	}
	return longest
}

// durationOf is a duration of a mechanism's options; 0 where there is none.
func durationOf(c discovery.Config, key string) time.Duration {
	return time.Duration(valueOf[model.Duration](c, key))
}

// valueOf reads a mechanism's options by the key that they have in prometheus.yml;
// it is zero where there is none. Their types cannot be named here: that would link
// the mechanism. Those of aws keep what counts, with its default, in the options of
// the role, which are embedded.
func valueOf[T comparable](c discovery.Config, key string) T {
	var none T
	v := reflect.Indirect(reflect.ValueOf(c))
	if v.Kind() != reflect.Struct {
		return none
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if value, ok := v.Field(i).Interface().(T); ok && name == key && value != none {
			return value
		}
		if role, ok := v.Field(i).Interface().(discovery.Config); ok && f.Anonymous && !v.Field(i).IsNil() {
			return valueOf[T](role, key)
		}
	}
	return none
}

// Fingerprint is of what decides what is listed (contract §6): everything but
// intervals, credentials and the settings of HTTP clients.
func (o *Options) Fingerprint() string {
	var n yaml.Node
	if err := n.Encode(o); err != nil {
		return err.Error() // of structs that were decoded from YAML: can't happen
	}
	blank(&n)
	text, err := yaml.Marshal(&n)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// unlisted are keys that decide nothing about what is listed.
var unlisted = map[string]bool{
	"refresh_interval": true, "fetch_timeout": true, "timeout": true,
	"basic_auth": true, "authorization": true, "oauth2": true, "bearer_token": true, "tls_config": true, "http_headers": true,
	"proxy_url": true, "no_proxy": true, "proxy_from_environment": true, "proxy_connect_header": true,
	"follow_redirects": true, "enable_http2": true,
	"username": true, "password": true, "client_secret": true, "application_credential_secret": true, "access_key": true, "secret_key": true,
	"application_secret": true, "consumer_key": true,
}

// blank takes those keys out, and secrets and their files.
func blank(n *yaml.Node) {
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); {
		key, value := n.Content[i].Value, n.Content[i+1]
		if unlisted[key] || strings.HasSuffix(key, "_file") || value.Value == "<secret>" {
			n.Content = slices.Delete(n.Content, i, i+2)
			continue
		}
		i += 2
	}
	for _, c := range n.Content {
		blank(c)
	}
}

// Linked are the mechanisms of this block that are linked into this program.
func Linked() []string {
	known := Default().known()
	var names []string
	for _, name := range discovery.RegisteredConfigNames() {
		if _, ok := known[name]; ok {
			names = append(names, name)
		}
	}
	return names
}
