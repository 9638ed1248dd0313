package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// consulSecrets are the places for secrets in a Consul source. $C stands for
// the canary, $F for a file that holds it, $ECHO for a server that answers with
// everything that it was asked.
var consulSecrets = map[string]string{
	"token":               `token: $C`,
	"token-file":          `token_file: $F`,
	"password":            `username: user, password: $C`,
	"basic-auth":          `basic_auth: {username: user, password: $C}`,
	"basic-auth-file":     `basic_auth: {username: user, password_file: $F}`,
	"authorization":       `authorization: {credentials: $C}`,
	"authorization-file":  `authorization: {type: Token, credentials_file: $F}`,
	"bearer-token":        `bearer_token: $C`,
	"bearer-token-file":   `bearer_token_file: $F`,
	"headers":             `http_headers: {X-Key: {secrets: [$C]}}`,
	"headers-file":        `http_headers: {X-Key: {files: [$F]}}`,
	"consul-token-header": `http_headers: {X-Consul-Token: {secrets: [$C]}}`,
	"oauth2":              `oauth2: {client_id: id, client_secret: $C, token_url: 'http://$ECHO/token'}`,
	"oauth2-file":         `oauth2: {client_id: id, client_secret_file: $F, token_url: 'http://$ECHO/token'}`,
	"oauth2-url":          `oauth2: {client_id: id, client_secret: other, token_url: 'http://user:$C@$ECHO/token'}`,
	"proxy":               `proxy_url: 'http://user:$C@$ECHO'`,
	"proxy-header":        `proxy_url: 'http://$ECHO', proxy_connect_header: {X-Key: [$C]}, scheme: https`,
}

// healthSecrets are those in health.http_client.
var healthSecrets = map[string]string{
	"probe-basic-auth":         `basic_auth: {username: user, password: $C}`,
	"probe-basic-auth-file":    `basic_auth: {username: user, password_file: $F}`,
	"probe-authorization":      `authorization: {credentials: $C}`,
	"probe-authorization-file": `authorization: {credentials_file: $F}`,
	"probe-bearer-token":       `bearer_token: $C`,
	"probe-headers":            `http_headers: {X-Key: {secrets: [$C]}}`,
	"probe-headers-file":       `http_headers: {X-Key: {files: [$F]}}`,
	"probe-oauth2":             `oauth2: {client_id: id, client_secret: $C, token_url: 'http://$ECHO/token'}`,
	"probe-oauth2-url":         `oauth2: {client_id: id, client_secret: other, token_url: 'http://user:$C@$ECHO/token'}`,
	"probe-proxy":              `proxy_url: 'http://user:$C@$ECHO'`,
}

// TestSecretsStaySecret puts a canary into every place for a secret, lets the
// sources fail and the servers answer with whatever they were asked, and then
// searches everything that mcp-sd says or writes.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"error": 500, "forbidden": 403, "rubbish": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecrets(t, status)
			s.configures(t)
			s.says("check-config", s.call(t, "check-config"))
			s.says("dry-run", s.once(t, "--dry-run", "--log.level=debug", "--once.timeout=15s"))
			s.says("once", s.once(t, "--log.level=debug", "--once.timeout=15s", "--metrics.textfile="+s.dir+"/mcp-sd.prom"))
			s.runs(t)
			s.searches(t)
		})
	}
}

// A secrets is an mcp-sd whose secrets are canaries.
type secrets struct {
	*workspace
	echo  *echo
	names []string          // of the sources, one for each secret
	said  map[string]string // what mcp-sd said, by where
}

func newSecrets(t *testing.T, status int) *secrets {
	s := &secrets{workspace: newWorkspace(t), echo: newEcho(t, status), said: map[string]string{}}
	s.names = slices.Sorted(maps.Keys(consulSecrets))
	s.names = append(s.names, slices.Sorted(maps.Keys(healthSecrets))...)
	return s
}

func canary(name string) string { return "canary-of-" + name + "-7f3a" }

// fill puts a secret's canary into its place.
func (s *secrets) fill(t *testing.T, name, block string) string {
	t.Helper()
	file := filepath.Join(s.dir, "secret-of-"+name)
	replaceFile(t, file, canary(name)+"\n")
	return strings.NewReplacer("$C", canary(name), "$F", file, "$ECHO", s.echo.address).Replace(block)
}

func (s *secrets) configures(t *testing.T) {
	t.Helper()
	var sources strings.Builder
	for _, name := range s.names {
		if block, ok := consulSecrets[name]; ok {
			fmt.Fprintf(&sources, "  - {name: %s, consul: {server: %q, %s}}\n", name, s.echo.address, s.fill(t, name, block))
			continue
		}
		fmt.Fprintf(&sources, "  - {name: %s, static: {targets: [{targets: [%q], labels: {__param_of: %s}}]}, health: {http_client: {%s}}}\n",
			name, s.echo.address, name, s.fill(t, name, healthSecrets[name]))
	}
	s.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources:
%s
health: {interval: 1s, timeout: 1s, admit_timeout: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms, meta_labels: '.*'}]
`, sources.String())
}

func (s *secrets) says(where string, r result) { s.said[where] = r.stdout + r.stderr }

// runs runs the daemon, breaks its configuration, and asks it everything.
func (s *secrets) runs(t *testing.T) {
	t.Helper()
	daemon := (*host)(nil).start(t, s.workspace, "--log.level=debug", "--web.enable-lifecycle")
	for _, name := range s.names {
		eventually(t, soon, func() error { return s.echo.has(name) })
	}
	eventually(t, soon, func() error { return daemon.metric(`mcp_sd_targets{source="probe-oauth2",state="published"}`, "1") })
	s.says("targets", s.call(t, "targets"))
	s.says("targets in JSON", s.call(t, "targets", "--format=json"))
	s.says("explain", s.call(t, "explain", s.echo.address))
	s.says("explain in JSON", s.call(t, "explain", "--format=json", s.echo.address))
	for _, path := range []string{"/", "/metrics", "/config", "/api/v1/targets", "/api/v1/sources", "/sd", "/sd/mcp.json", "/-/ready", "/debug/pprof/"} {
		_, body, err := httpAsk(http.MethodGet, daemon.url+path)
		if err != nil {
			t.Error(err)
		}
		s.said["GET "+path] = string(body)
	}
	content, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, s.config, strings.Replace(string(content), "basic_auth: {", "basic_auth: {pasword: "+canary("token")+", ", 1))
	_, body, err := httpAsk(http.MethodPost, daemon.url+"/-/reload")
	if err != nil {
		t.Error(err)
	}
	s.said["POST /-/reload"] = string(body)
	daemon.signal(t, syscall.SIGHUP)
	eventually(t, soon, func() error { return daemon.metric("mcp_sd_config_last_reload_successful", "0") })
	daemon.stops(t)
	log, err := os.ReadFile(daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	s.said["log"] = string(log)
	for path, content := range tree(t, s.dir) {
		if path != s.config && !strings.HasPrefix(filepath.Base(path), "secret-of-") {
			s.said[path] = content
		}
	}
}

// searches looks for every canary in everything that was said, as it is and as
// basic authentication puts it.
func (s *secrets) searches(t *testing.T) {
	t.Helper()
	for _, where := range slices.Sorted(maps.Keys(s.said)) {
		for _, name := range s.names {
			for _, form := range forms(name) {
				if i := strings.Index(s.said[where], form); i >= 0 {
					around := s.said[where][max(0, i-200):min(len(s.said[where]), i+100)]
					t.Errorf("%s has the secret of %s:\n… %s …", where, name, around)
				}
			}
		}
	}
}

func forms(name string) []string {
	plain := canary(name)
	return []string{plain, base64.StdEncoding.EncodeToString([]byte("user:" + plain)), base64.StdEncoding.EncodeToString([]byte("id:" + plain))}
}

// An echo is a server that answers with everything that it was asked, secrets
// included, and remembers it.
type echo struct {
	address string
	status  int

	mu    sync.Mutex
	heard strings.Builder
}

func newEcho(t *testing.T, status int) *echo {
	t.Helper()
	e := &echo{address: fmt.Sprintf("127.0.0.1:%d", freePort(t)), status: status}
	server := &http.Server{Addr: e.address, Handler: e}
	listener, err := (*host)(nil).listen("tcp4", e.address)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return e
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var said strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Accept" && name != "User-Agent" {
			fmt.Fprintf(&said, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
		}
	}
	said.Write(body)
	e.mu.Lock()
	e.heard.WriteString(said.String())
	e.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, said.String())
}

// has makes sure that the secret of a source arrived: that its canary would be
// noticed.
func (e *echo) has(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, form := range forms(name) {
		if strings.Contains(e.heard.String(), form) {
			return nil
		}
	}
	return fmt.Errorf("the secret of %s was never sent", name)
}
