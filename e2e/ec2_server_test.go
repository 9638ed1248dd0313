package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// An ec2Server is the fake EC2 of the main module, as a program of its own.
type ec2Server struct {
	*process
	url string
}

const (
	ec2Ours   = "111111111111" // the account whose key mcp-sd has
	ec2Theirs = "222222222222"
	ec2Others = "333333333333"
	ec2Key    = "AKIAIOSFODNN7EXAMPLE"
	ec2Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func ec2Role(account string) string { return "arn:aws:iam::" + account + ":role/mcp-sd" }

func startEC2(t testing.TB) *ec2Server {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := &ec2Server{url: "http://" + listen, process: startProcess(t, "ec2fake", need(t, ec2fakeBinary), "--listen="+listen)}
	eventually(t, soon, func() error {
		if err := s.running(); err != nil {
			return err
		}
		_, err := httpGet(s.url + "/fake/calls")
		return err
	})
	s.tell(t, http.MethodPut, "keys", map[string]string{"AccessKey": ec2Key, "Secret": ec2Secret, "Account": ec2Ours})
	return s
}

// tell has something happen in EC2.
func (s *ec2Server) tell(t testing.TB, method, what string, body any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(method, s.url+"/fake/"+what, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	response, err := httpClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s (%v)", method, what, response.StatusCode, answer, err)
	}
}

// An ec2Instance as ec2fake is told about it.
type ec2Instance struct {
	ID, Account, Region, State, PrivateIP string
	Tags                                  map[string]string
}

// launch adds instances, or replaces those of the same id.
func (s *ec2Server) launch(t testing.TB, instances ...ec2Instance) {
	t.Helper()
	s.tell(t, http.MethodPut, "instances", instances)
}

// with returns the instance after a change of its tags, given as name, value …
func (i ec2Instance) with(tags ...string) ec2Instance {
	i.Tags = maps.Clone(i.Tags)
	for n := 0; n < len(tags); n += 2 {
		i.Tags[tags[n]] = tags[n+1]
	}
	return i
}

func (i ec2Instance) in(state string) ec2Instance {
	i.State = state
	return i
}

// startWith runs the daemon with variables in its environment: what AWS' own
// tools read comes from there.
func (w *workspace) startWith(t testing.TB, env ...string) *daemon {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	args := append(env, mcpSD, "--config.file="+w.config, "--state.path="+w.state, "--web.listen-address="+listen)
	d := &daemon{url: "http://" + listen, process: startProcess(t, "mcp-sd", "/usr/bin/env", args...)}
	eventually(t, soon, func() error {
		if err := d.running(); err != nil {
			return err
		}
		_, err := httpGet(d.url + "/-/ready")
		return err
	})
	return d
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
