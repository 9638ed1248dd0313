package consul

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	promconfig "github.com/prometheus/common/config"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

// fieldErrors gathers what is wrong.
type fieldErrors []target.FieldError

func (e *fieldErrors) add(field, format string, args ...any) {
	*e = append(*e, target.FieldError{Field: field, Err: fmt.Errorf(format, args...)})
}

func (e *fieldErrors) addEmpty(field string, list []string) {
	for i, v := range list {
		if v == "" {
			e.add(fmt.Sprintf("%s[%d]", field, i), "is empty: write a name, or take it out")
		}
	}
}

// Validate says everything that is wrong with the options. It looks at no file.
func (o *Options) Validate() []target.FieldError {
	var e fieldErrors
	o.validateServers(&e)
	o.validateSelection(&e)
	o.validateAgent(&e)
	o.validatePeers(&e)
	o.validateTargets(&e)
	o.validateCredentials(&e)
	if o.MaxStale <= 0 {
		e.add("max_stale", "must be longer than 0s: write a duration such as 30s, or allow_stale: false to have the leader answer")
	}
	if err := o.httpClient().Validate(); err != nil {
		e.add(httpconfig.Field(&o.HTTPClientConfig), "%w", err)
	}
	return e
}

func (o *Options) validateServers(e *fieldErrors) {
	if len(o.Servers) > 0 && o.Server != defaultServer {
		e.add("servers", "server is set as well: put it into servers, and take server out")
	}
	for i, s := range o.addresses() {
		field := "server"
		if len(o.Servers) > 0 {
			field = fmt.Sprintf("servers[%d]", i)
		}
		if err := checkServer(s); err != nil {
			e.add(field, "%w", err)
		}
		if slices.Index(o.addresses(), s) < i {
			e.add(field, "%q is there twice", s)
		}
	}
	if o.Scheme != "" && o.Scheme != "http" && o.Scheme != "https" {
		e.add("scheme", "%q is unknown: write http or https", o.Scheme)
	}
}

// checkServer takes what Consul's client takes.
func checkServer(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("is empty: write host:port, such as " + defaultServer)
	}
	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case !found:
		scheme, rest = "http", s
	case scheme == "unix":
		return nil
	}
	u, err := url.Parse("//" + rest)
	switch {
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("scheme %q is unknown: write host:port, or a URL with http, https or unix", scheme)
	case strings.Contains(rest, "@"):
		return errors.New("credentials in an address would show in logs: use username and password")
	case err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "", strings.Contains(u.Hostname(), ":") && u.Host[0] != '[':
		return fmt.Errorf("%q is no address: write host:port, such as %s, with IPv6 in brackets", s, defaultServer)
	case !found && u.Path != "":
		return fmt.Errorf("%q has a path: put that into path_prefix", s)
	}
	return nil
}

func (o *Options) validateSelection(e *fieldErrors) {
	if len(o.Datacenters) > 0 && o.Datacenter != "" {
		e.add("datacenters", "datacenter is set as well: keep one of them")
	}
	if len(o.Services) > 0 && o.ServiceRegex != "" {
		e.add("service_regex", "services is set as well: keep one of them")
	}
	if _, err := anchored(o.ServiceRegex); err != nil {
		e.add("service_regex", "%w: write a regular expression of Go (RE2)", err)
	}
	e.addEmpty("datacenters", o.Datacenters)
	e.addEmpty("services", o.Services)
	e.addEmpty("tags", o.Tags)
	if _, empty := o.NodeMeta[""]; empty {
		e.add("node_meta", "a key is empty: write the name of the node's metadata")
	}
}

func anchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // "a)|(b" is one only with brackets around it
		return nil, err
	}
	return regexp.Compile("^(?s:" + expr + ")$")
}

func (o *Options) validateCredentials(e *fieldErrors) {
	c := &o.HTTPClientConfig
	if o.Token != "" && o.TokenFile != "" {
		e.add("token_file", "token is set as well: keep one of them")
	}
	if bearer := c.Authorization != nil || c.OAuth2 != nil || c.BearerToken != "" || c.BearerTokenFile != ""; bearer {
		const twice = "authorization, oauth2 or a bearer token is set as well: keep one of them"
		if o.Token != "" {
			e.add("token", twice)
		}
		if o.TokenFile != "" {
			e.add("token_file", twice)
		}
	}
	if (o.Username != "" || o.Password != "") && c.BasicAuth != nil {
		e.add("username", "basic_auth is set as well: keep one of them")
	}
}

// httpClient is the HTTP client's configuration as Prometheus reads it, with
// username and password as basic authentication.
func (o *Options) httpClient() *promconfig.HTTPClientConfig {
	c := httpconfig.Copy(o.HTTPClientConfig)
	if (o.Username != "" || o.Password != "") && c.BasicAuth == nil {
		c.BasicAuth = &promconfig.BasicAuth{Username: o.Username, Password: o.Password}
	}
	return c
}

// hasToken reports whether Consul can tell who asks. It tells only then whether
// it left anything out of an answer.
func (o *Options) hasToken() bool {
	c := o.httpClient()
	if c.HTTPHeaders != nil {
		for name := range c.HTTPHeaders.Headers {
			if http.CanonicalHeaderKey(name) == "X-Consul-Token" {
				return true
			}
		}
	}
	return o.Token != "" || o.TokenFile != "" ||
		c.Authorization != nil || c.OAuth2 != nil || c.BearerToken != "" || c.BearerTokenFile != "" ||
		os.Getenv("CONSUL_HTTP_TOKEN") != "" || os.Getenv("CONSUL_HTTP_TOKEN_FILE") != ""
}
