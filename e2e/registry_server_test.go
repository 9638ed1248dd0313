package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
)

// A registryServer is the fake MCP registry of the main module, as a program of
// its own, with five servers on a page.
type registryServer struct {
	*process
	binary, listen, url string
}

func newRegistryServer(t testing.TB) *registryServer {
	t.Helper()
	s := &registryServer{binary: filepath.Join(t.TempDir(), "registryfake"), listen: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	s.url = "http://" + s.listen
	build := exec.Command("go", "build", "-o", s.binary, "./sources/mcpregistry/registrytest/registryfake")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building registryfake: %v\n%s", err, out)
	}
	s.start(t)
	return s
}

// start runs it, with nothing in it.
func (s *registryServer) start(t testing.TB) {
	t.Helper()
	s.process = startProcess(t, "registryfake", s.binary, "--listen="+s.listen, "--page-size=5")
	eventually(t, soon, func() error {
		if err := s.running(); err != nil {
			return err
		}
		_, err := httpGet(s.url + "/fake/calls")
		return err
	})
}

// tell has something happen in the registry.
func (s *registryServer) tell(t testing.TB, method, what string, body any) {
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

// A registered server as the fake is told about it.
type registered struct {
	Name, Version string
	Status        string              `json:",omitempty"`
	Remotes       []map[string]string `json:",omitempty"`
	Publisher     map[string]string   `json:",omitempty"`
}
