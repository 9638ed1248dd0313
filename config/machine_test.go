package config

import (
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Contract §3: secrets may come from systemd credentials.
func TestCredentialsDirectory(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "mcp-sd.yml")
	write(t, path, `
sources: [{name: a, consul: {token_file: "${CREDENTIALS_DIRECTORY}/token"}}]
outputs: [{path: mcp.json}]
`)
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "sources[0].consul.token_file: file "+credentials+"/token: no such file") {
		t.Fatal(err)
	}
	write(t, filepath.Join(credentials, "token"), "x")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := marshal(t, c); !strings.Contains(text, "token_file: "+credentials+"/token\n") {
		t.Error(text)
	}
}

// Parse judges the file alone: what only this machine lacks, Load reports.
func TestParseLooksAtNoSecretFile(t *testing.T) {
	text := `
sources:
  - {name: a, consul: {token_file: t, tls_config: {ca_file: ca}}, health: {http_client: {bearer_token_file: b}}}
health: {http_client: {tls_config: {cert_file: c, key_file: k}}}
outputs: [{path: nowhere/mcp.json, group: no-such-group}]
`
	c, err := parseText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	err = c.CheckEnvironment()
	for _, want := range []string{"x.yml:5: outputs[0].path: directory ", "x.yml:5: outputs[0].group: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	path := filepath.Join(t.TempDir(), "mcp-sd.yml")
	write(t, path, text)
	_, err = Load(path)
	var all *Errors
	if !errors.As(err, &all) || len(all.List) != 7 {
		t.Errorf("want 5 files, a directory and a group:\n%v", err)
	}
}

// A valid configuration is loaded whatever the machine lacks for its outputs;
// CheckEnvironment says what that is.
func TestCheckEnvironment(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp-sd.yml")
	write(t, path, "sources: [{name: a, static: {files: [a.yml]}}]\noutputs:\n  - path: there/mcp.json\n  - path: /mcp-{environment}.json\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var all *Errors
	if err := c.CheckEnvironment(); !errors.As(err, &all) || len(all.List) != 1 || all.List[0].Line != 3 || all.List[0].Field != "outputs[0].path" {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckEnvironment(); err != nil {
		t.Error(err)
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp-sd.yml")
	write(t, filepath.Join(dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, path, `
sources: [{name: a, static: {files: [a.yml]}, health: {http_client: {tls_config: {ca_file: ca.pem}}}}]
outputs: [{path: mcp.json}]
`)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := promconfig.NewTLSConfig(&c.Sources[0].Health.HTTPClient.TLSConfig); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), "no certificate")
	_, err = Load(path)
	var all *Errors
	if !errors.As(err, &all) || len(all.List) != 1 || all.List[0].Field != "sources[0].health.http_client.tls_config" {
		t.Error(err)
	}
}

// Prometheus' pattern of a fixed list of URLs whose address a rule sets.
func TestStaticTargetsThatRulesRewrite(t *testing.T) {
	const text = `
sources:
  - name: a
    static: {targets: [{targets: ["https://example.com/mcp"]}]}
    relabel_configs: [RULES]
outputs: [{path: mcp.json}]
`
	rules := `{source_labels: [__address__], target_label: __param_target}, {target_label: __address__, replacement: "probe:9115"}`
	if _, err := parseText(t, strings.Replace(text, "RULES", rules, 1)); err != nil {
		t.Error(err)
	}
	if _, err := parseText(t, strings.Replace(text, "RULES", "", 1)); err == nil || !strings.Contains(err.Error(), "x.yml:4: sources[0].static.targets[0].targets[0]: ") {
		t.Error(err)
	}
}

// One endless list must not take endless time: 100,000 inline targets.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("outputs: [{path: mcp.json}]\nsources:\n  - name: a\n    static:\n      targets:\n        - targets:\n")
	for i := range 100_000 {
		text.WriteString("            - 10." + strconv.Itoa(i>>16&255) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255) + ":80\n")
	}
	for b.Loop() {
		if _, err := Parse("x.yml", []byte(text.String()), "."); err != nil {
			b.Fatal(err)
		}
	}
}
