package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// mistaken are secrets in the wrong place, of the wrong type, or beside an
// error. The secret is $C.
var mistaken = []string{
	`{server: 'http://user:$C@127.0.0.1:8500'}`,
	`{server: 'user:$C@127.0.0.1:8500'}`,
	`{servers: ['127.0.0.1:8500', 'http://user:$C@127.0.0.1:8501']}`,
	`{token: [$C]}`,
	`{token: {is: $C}}`,
	`{token: $C, token_file: /dev/null}`,
	`{token: $C, token: other}`,
	`{token: $C, authorization: {credentials: $C}}`,
	`{tokne: $C}`,
	`{token: "$C`,
	"{token: $C\n, {}: }",
	`{username: user, password: $C, basic_auth: {username: user, password: $C}}`,
	`{username: user, password: [$C]}`,
	`{basic_auth: $C}`,
	`{basic_auth: [user, $C]}`,
	`{basic_auth: {username: user, pasword: $C}}`,
	`{basic_auth: {username: user, password: $C, password_file: /dev/null}}`,
	`{basic_auth: {username: user, password: {is: $C}}}`,
	`{authorization: $C}`,
	`{authorization: {credentials: $C, credentials_file: /dev/null}}`,
	`{authorization: {type: Basic, credentials: $C}}`,
	`{authorization: {type: {}, credentials: $C}}`,
	`{bearer_token: $C, bearer_token_file: /dev/null}`,
	`{bearer_token: [$C]}`,
	`{oauth2: {client_id: id, client_secret: $C}}`,
	`{oauth2: {client_id: id, client_secret: [$C], token_url: 'http://127.0.0.1'}}`,
	`{oauth2: {client_id: id, client_secret: $C, client_secret_file: /dev/null, token_url: 'http://127.0.0.1'}}`,
	`{oauth2: {client_id: [], client_secret: $C, token_url: 'http://127.0.0.1'}}`,
	`{oauth2: $C}`,
	`{http_headers: {X-Key: $C}}`,
	`{http_headers: {X-Key: {secrets: $C}}}`,
	`{http_headers: {X-Key: {secrets: [[$C]]}}}`,
	`{http_headers: {Authorization: {secrets: [$C]}}}`,
	`{http_headers: [$C]}`,
	`{proxy_url: 'http://user:$C@%zz'}`,
	`{proxy_url: 'http://user:$C@127.0.0.1:port'}`,
	`{proxy_url: 'http://user:$C@127.0.0.1', proxy_from_environment: true}`,
	`{proxy_url: ['http://user:$C@127.0.0.1']}`,
	`{proxy_url: 'http://user:$C @127.0.0.1'}`,
	`{tls_config: {key: $C}}`,
	`{tls_config: {cert: nonsense, key: $C}}`,
	`{tls_config: {cert: nonsense, key: [$C]}}`,
	`{tls_config: {cert: nonsense, key: $C, key_file: /dev/null}}`,
}

// TestSecretsInMistakes: a configuration is refused with an error that does not
// repeat its secrets, be it checked, used, or reloaded.
func TestSecretsInMistakes(t *testing.T) {
	t.Parallel()
	const good = "sources: [{name: a, static: {targets: [{targets: ['127.0.0.1:80']}]}}]\nhealth: {enabled: false}\n" +
		"outputs: [{path: $TARGETS/mcp.json}]\n"
	w := newWorkspace(t)
	w.configure(t, good)
	daemon := (*host)(nil).start(t, w, "--log.level=debug", "--web.enable-lifecycle")
	for i, mistake := range mistaken {
		secret := fmt.Sprintf("canary-of-mistake-%d-7f3a", i)
		block := strings.ReplaceAll(mistake, "$C", secret)
		for where, config := range map[string]string{
			"consul": "sources:\n  - name: a\n    consul: " + block + "\noutputs: [{path: $TARGETS/mcp.json}]\n",
			"health": good + "health:\n  http_client: " + block + "\n",
		} {
			if where == "health" {
				config = strings.Replace(config, "health: {enabled: false}\n", "", 1)
			}
			w.configure(t, "%s", config)
			_, body, err := httpAsk("POST", daemon.url+"/-/reload")
			if err != nil {
				t.Fatal(err)
			}
			checked, used := w.call(t, "check-config"), w.once(t, "--log.level=debug")
			if checked.code != 1 || used.code != 1 || checked.stderr == "" {
				t.Errorf("%s: %s: check-config ended with %d and --once with %d, want 1", where, mistake, checked.code, used.code)
			}
			for _, said := range []string{string(body), checked.stdout, checked.stderr, used.stdout, used.stderr} {
				if strings.Contains(said, secret) {
					t.Errorf("%s: %s:\n%s", where, mistake, said)
				}
			}
		}
	}
	daemon.stops(t)
	log, err := os.ReadFile(daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "canary-of-mistake") {
			t.Errorf("the log has a secret: %s", line)
		}
	}
}
