package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/mcp-sd/mcp-sd/sources"
)

const canary = "cAnArY"

// secretsEverywhere fills every field that can hold a secret, over two
// documents because some exclude each other.
func secretsEverywhere() []string {
	client := func(auth string) string {
		return auth + `, proxy_url: "http://user:` + canary + `@proxy:3128", proxy_connect_header: {X-A: [` + canary + `]},
      http_headers: {X-B: {secrets: [` + canary + `]}}`
	}
	oauth := `oauth2: {client_id: a, client_secret: ` + canary + `, token_url: "https://user:` + canary + `@login/token",
      tls_config: {cert: c, key: ` + canary + `}, proxy_url: "http://user:` + canary + `@proxy"}`
	jwt := `oauth2: {client_id: a, client_certificate_key: ` + canary + `, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", token_url: "https://login/token"}`
	document := func(consul, global string) string {
		return `
sources:
  - name: a
    consul: {` + consul + `}
  - name: b
    ec2: {access_key: a, secret_key: ` + canary + `}
  - name: c
    exec: {command: [x], env: {X_TOKEN: ` + canary + `}}
  - name: d
    mcp_registry: {server: "https://registry", ` + client(`bearer_token: `+canary) + `}
  - name: e
    prometheus:
      http_sd_configs:
        - {url: "http://user:` + canary + `@sd/", basic_auth: {username: u, password: ` + canary + `}, proxy_url: "http://user:` + canary + `@proxy"}
health:
  http_client: {` + global + `}
outputs: [{path: mcp.json}]
`
	}
	return []string{
		document(client(`username: u, password: `+canary+`, token: `+canary), client(oauth)),
		document(client(`bearer_token: `+canary), client(`basic_auth: {username: u, password: `+canary+`}, tls_config: {cert: c, key: `+canary+`}`)),
		document(client(jwt), client(`authorization: {credentials: `+canary+`}`)),
	}
}

// Contract §3: secrets never appear in logs, in /config or in errors.
func TestSecretsStayHidden(t *testing.T) {
	for i, text := range secretsEverywhere() {
		c, err := Parse("x.yml", []byte(text), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("x", "config", c, "value", *c, "sources", c.Sources, "one", c.Sources[0])
		}
		asJSON, err := json.Marshal([]any{c, c.Sources})
		if err != nil {
			t.Fatal(err)
		}
		for what, shown := range map[string]string{
			"Marshal": marshal(t, c), "Summary": c.Summary(), "slog": log.String(), "json": string(asJSON),
			"%v": fmt.Sprintf("%v %+v %#v %s %q %d", c, c, c, c, c, c), "%v of a value": fmt.Sprintf("%v %+v %#v", *c, *c, *c),
			"%v of sources": fmt.Sprintf("%v %+v %#v", c.Sources, c.Sources, c.Sources),
		} {
			if strings.Contains(shown, canary) {
				t.Errorf("document %d: %s shows a secret:\n%s", i, what, shown)
			}
		}
		if text := marshal(t, c); !strings.Contains(text, "<secret>") {
			t.Errorf("document %d: Marshal shows no secret at all:\n%s", i, text)
		}
	}
}

// The documents above must not miss a secret that an option struct has.
func TestEverySecretIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, text := range secretsEverywhere() {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(err)
		}
		keysWith(&root, "", tried)
	}
	types := []reflect.Type{reflect.TypeFor[mainFile](), reflect.TypeFor[sourceKeys]()}
	for _, m := range sources.Mechanisms() {
		types = append(types, reflect.TypeOf(m.Options()))
	}
	for _, typ := range types {
		for _, key := range secretKeys(typ, "") {
			if !tried[key] {
				t.Errorf("%s: no canary in %s", typ, key)
			}
		}
	}
}

// keysWith collects the keys over the canary.
func keysWith(n *yaml.Node, key string, keys map[string]bool) {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, canary) {
		keys[key] = true
	}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
		case n.Kind == yaml.MappingNode && !strings.HasPrefix(n.Content[i-1].Value, "X"):
			keysWith(c, n.Content[i-1].Value, keys)
		default:
			keysWith(c, key, keys)
		}
	}
}

func secretKeys(t reflect.Type, key string) []string {
	if t == reflect.TypeFor[promconfig.Secret]() || t == reflect.TypeFor[promconfig.URL]() {
		return []string{key}
	}
	var keys []string
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return secretKeys(t.Elem(), key)
	case reflect.Struct:
		if typeWords(t) != "" || t == reflect.TypeFor[yaml.Node]() {
			return nil
		}
		for i := range t.NumField() {
			name, inline, skip := yamlName(t.Field(i))
			if inline {
				name = key
			}
			if !skip {
				keys = append(keys, secretKeys(t.Field(i).Type, name)...)
			}
		}
	}
	return keys
}

// Contract §3: nor do they in errors, however wrong the file is.
func TestErrorsShowNoSecret(t *testing.T) {
	in := func(block string) string {
		return "sources:\n  - name: a\n    consul:\n" + block + "outputs: [{path: mcp.json}]\n"
	}
	for _, text := range []string{
		in("      token: [" + canary + "]\n"),
		in("      token: {a: " + canary + "}\n"),
		in("      token: *" + canary + "\n"),
		in("      token: &" + canary + "\n"),
		in("      token: !" + canary + "\n"),
		in("      token: !!int " + canary + "\n      max_stale: soon\n"),
		in("      token: !!binary " + canary + "-\n"),
		in("      token: \"" + canary + "\n"),
		in("      token: '" + canary + "\n"),
		in("      token: " + canary + ": x\n"),
		in("      token: @" + canary + "\n"),
		in("      token:" + canary + "\n"),
		in("      {token:" + canary + "}\n"),
		in("      tokn: " + canary + "\n"),
		in("      basic_auth: user:" + canary + "\n"),
		in("      authorization: " + canary + "\n"),
		in("      http_headers: {X-A: {secrets: " + canary + "}}\n"),
		in("      http_headers: {X-A: " + canary + "}\n"),
		in("      http_headers: " + canary + "\n"),
		in("      proxy_connect_header: {X-A: " + canary + "}\n"),
		in("      proxy_url: http://user:" + canary + "@proxy:port\n"),
		in("      proxy_url: http://user:" + canary + "/x@proxy\n"),
		in("      proxy_url: [http://user:" + canary + "@proxy]\n"),
		in("      server: http://user:" + canary + "@consul:8500\n"),
		in("      server: user:" + canary + "@consul:8500\n"),
		in("      token: " + canary + "\n      bearer_token: " + canary + "\n"),
		in("      username: u\n      password: " + canary + "\n      basic_auth: {username: u, password: " + canary + ", password_file: x}\n"),
		in("      oauth2: {client_id: a, client_secret: " + canary + ", client_secret_file: x, token_url: x}\n"),
		in("      oauth2: {client_secret: " + canary + ", token_url: \"https://u:" + canary + "@login\"}\n"),
		in("      tls_config: {key: " + canary + ", key_file: x}\n"),
		in("      tls_config: {key: " + canary + ", cert: x}\n"),
		in("      tls_config: {ca: " + canary + "}\n"),
		in("      tls_config: " + canary + "\n"),
		"sources: [{name: a, exec: {command: [x], env: {A: [" + canary + "]}}}]\n",
		"sources: [{name: a, exec: {command: [x], env: [A=" + canary + "]}}]\n",
		"sources: [{name: a, exec: {command: [x], env: A=" + canary + "}}]\n",
		"sources: [{name: a, exec: {command: [x], env: {A-B: " + canary + "}}}]\n",
	} {
		path := filepath.Join(t.TempDir(), "mcp-sd.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if err == nil {
			t.Errorf("loads:\n%s", text)
			continue
		}
		if shown := fmt.Sprintf("%v %+v %q", err, err, err); strings.Contains(shown, canary) {
			t.Errorf("the error\n%v\nof\n%s", err, text)
		}
	}
}

func TestRedactURLs(t *testing.T) {
	for in, want := range map[string]string{
		"https://user:pass@host/path":          "https://<secret>@host/path",
		"https://token@host":                   "https://<secret>@host",
		"a http://u:p@h, b https://x:y@z":      "a http://<secret>@h, b https://<secret>@z",
		"https://user:pa/ss@host":              "https://<secret>@host",
		"https://user:pa@ss@host":              "https://<secret>@host",
		"https://git.example.com/@team/x":      "https://git.example.com/@team/x",
		"https://git.example.com:8443/?q=a@b":  "https://git.example.com:8443/?q=a@b",
		"https://host":                         "https://host",
		"me@example.com":                       "me@example.com",
		`parse "http://u:p@h:x": invalid port`: `parse "http://<secret>@h:x": invalid port`,
	} {
		if got := redactURLs(in); got != want {
			t.Errorf("%s → %s, want %s", in, got, want)
		}
	}
}
