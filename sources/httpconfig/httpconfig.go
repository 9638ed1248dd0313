// Package httpconfig is what mechanisms share whose blocks hold the settings
// of an HTTP client in Prometheus' form.
package httpconfig

import promconfig "github.com/prometheus/common/config"

// Copy returns settings that may be validated: validation rewrites deprecated
// keys, and must not do so in what the operator wrote.
func Copy(c promconfig.HTTPClientConfig) *promconfig.HTTPClientConfig {
	if a := c.Authorization; a != nil {
		clone := *a
		c.Authorization = &clone
	}
	return &c
}

// Field names the key to look at when the settings as a whole are wrong:
// Prometheus' validation does not say which it means.
func Field(c *promconfig.HTTPClientConfig) string {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"authorization", c.Authorization != nil},
		{"oauth2", c.OAuth2 != nil},
		{"basic_auth", c.BasicAuth != nil},
		{"bearer_token", c.BearerToken != ""},
		{"bearer_token_file", c.BearerTokenFile != ""},
		{"http_headers", c.HTTPHeaders != nil},
		{"no_proxy", c.NoProxy != ""},
		{"proxy_url", c.ProxyURL.URL != nil},
	} {
		if f.set {
			return f.field
		}
	}
	return "proxy_from_environment"
}
