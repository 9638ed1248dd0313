package httpconfig

import (
	"testing"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// Validation fills in what the operator left out: in the copy alone.
func TestCopy(t *testing.T) {
	wrote := promconfig.HTTPClientConfig{Authorization: &promconfig.Authorization{Credentials: "s3cret"}}
	c := Copy(wrote)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Authorization.Type != "Bearer" || wrote.Authorization.Type != "" {
		t.Errorf("the copy has the type %q, what was written %q", c.Authorization.Type, wrote.Authorization.Type)
	}
}

func TestField(t *testing.T) {
	for text, want := range map[string]string{
		"authorization: {credentials: x}":                  "authorization",
		"oauth2: {client_id: x}":                           "oauth2",
		"basic_auth: {username: x}":                        "basic_auth",
		"bearer_token: x":                                  "bearer_token",
		"bearer_token_file: x":                             "bearer_token_file",
		"http_headers: {X-A: {values: [x]}}":               "http_headers",
		"no_proxy: x":                                      "no_proxy",
		"proxy_url: http://x":                              "proxy_url",
		"proxy_from_environment: true":                     "proxy_from_environment",
		"{proxy_url: http://x, basic_auth: {username: x}}": "basic_auth",
	} {
		var c promconfig.HTTPClientConfig
		type plain promconfig.HTTPClientConfig // which is decoded without being validated
		if err := yaml.Unmarshal([]byte(text), (*plain)(&c)); err != nil {
			t.Fatal(err)
		}
		if got := Field(&c); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
