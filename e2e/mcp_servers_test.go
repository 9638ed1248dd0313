package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// sdkServerBinary is a server made with the official Go SDK.
var sdkServerBinary = sync.OnceValues(func() (string, error) { return fromSource("sdk-server", "mcpserver", ".") })

// An mcpServer is a real MCP server, with the address of its only port.
type mcpServer struct {
	*process
	address string
}

// startSDKServer starts one by its flags.
func startSDKServer(t testing.TB, flags ...string) *mcpServer {
	t.Helper()
	path := need(t, sdkServerBinary)
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := &mcpServer{startProcess(t, "sdk-server", path, append(flags, "--listen="+address)...), address}
	s.answers(t, "/metrics")
	return s
}

func (s *mcpServer) answers(t testing.TB, path string) {
	t.Helper()
	eventually(t, soon, func() error {
		if err := s.running(); err != nil {
			return err
		}
		_, _, err := httpAsk("GET", "http://"+s.address+path)
		return err
	})
}

// noSessions checks that none is open.
func (s *mcpServer) noSessions() error {
	body, err := httpGet("http://" + s.address + "/sessions")
	if err == nil && strings.TrimSpace(string(body)) != "0" {
		err = fmt.Errorf("%s sessions are open", strings.TrimSpace(string(body)))
	}
	return err
}

// everything is MCP's reference server out of npm, pinned with all that it needs
// by the lock beside its package.json, and kept beside the other parts.
var everything = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	content := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if content[name], err = os.ReadFile(filepath.Join("everything", name)); err != nil {
			return "", err
		}
		hash.Write(content[name])
	}
	parent := filepath.Join(cache, "mcp-sd-e2e")
	dir := filepath.Join(parent, "everything-"+hex.EncodeToString(hash.Sum(nil))[:12])
	program := filepath.Join("node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")
	if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
		return filepath.Join(dir, program), nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	staged, err := os.MkdirTemp(parent, "everything-") // half an installation is never found
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staged)
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(staged, name), text, 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = staged
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s\ninstall npm: apt-get install --no-install-recommends npm", cmd, err, out)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, program), os.Rename(staged, dir)
})

// startEverything starts the reference server. It has no metrics.
func startEverything(t *testing.T) *mcpServer {
	t.Helper()
	program := need(t, everything)
	port := freePort(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends nodejs", err)
	}
	s := &mcpServer{
		startProcess(t, "everything", "/usr/bin/env", fmt.Sprintf("PORT=%d", port), node, program, "streamableHttp"),
		fmt.Sprintf("127.0.0.1:%d", port),
	}
	s.answers(t, "/metrics")
	return s
}

// ended checks that the reference server's log says that a session was ended,
// and none that was not.
func (s *mcpServer) ended() error {
	log := string(s.logTail())
	began, over := strings.Count(log, "Session initialized with ID"), strings.Count(log, "Received session termination request")
	if began == 0 || began != over {
		return fmt.Errorf("%d sessions began, %d were ended", began, over)
	}
	return nil
}

// identified checks what a file says of a target as an MCP server.
func identified(path, address, evidence, name, protocol, version string) error {
	targets, err := readTargets(path)
	if err != nil {
		return err
	}
	l, ok := targets[address]
	if !ok {
		return fmt.Errorf("%s is not in %s", address, path)
	}
	for label, want := range map[string]string{
		"__meta_mcp_sd_mcp": evidence, "__meta_mcp_sd_mcp_server_name": name,
		"__meta_mcp_sd_mcp_protocol_version": protocol, "version": version,
	} {
		if l[label] != want {
			return fmt.Errorf("%s: %s is %q, want %q", address, label, l[label], want)
		}
	}
	return nil
}

// briefly is long enough for several questions of those that ask every second.
const briefly = 6 * time.Second
