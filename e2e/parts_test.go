package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A part is a server that is compiled from a pinned module.
type part struct {
	name   string
	module string // folder with the go.mod that pins it
	pkg    string
	flags  []string
	takes  string // how long a first build takes
}

var (
	consulBinary = sync.OnceValues(part{
		name:   "consul",
		module: ".",
		pkg:    "github.com/hashicorp/consul",
		takes:  "10 to 20 minutes",
	}.binary)
	prometheus3Binary = sync.OnceValues(part{
		name:   "prometheus",
		module: "prometheus3",
		pkg:    "github.com/prometheus/prometheus/cmd/prometheus",
		flags:  []string{"-tags=remove_all_sd,enable_consul_sd", "-trimpath"},
		takes:  "about 5 minutes",
	}.binary)
	prometheus2Binary = sync.OnceValues(func() (string, error) {
		return installed("prometheus", "version 2.")
	})
	promtoolBinary = sync.OnceValues(func() (string, error) {
		return installed("promtool", "version 2.")
	})
	alertmanagerBinary = sync.OnceValues(func() (string, error) {
		return packaged("prometheus-alertmanager", "prometheus-alertmanager")
	})
	amtoolBinary  = sync.OnceValues(func() (string, error) { return packaged("amtool", "prometheus-alertmanager") })
	vmagentBinary = sync.OnceValues(func() (string, error) { return packaged("vmagent", "victoria-metrics") })

	// From this checkout: the example server, the program that makes minutes
	// of rules seconds, and a fake of EC2.
	exampleServerBinary = sync.OnceValues(func() (string, error) { return fromSource("mcp-server", "..", "./examples/mcp-server") })
	shortenBinary       = sync.OnceValues(func() (string, error) { return fromSource("shorten", "loaders", "./shorten") })
	ec2fakeBinary       = sync.OnceValues(func() (string, error) { return fromSource("ec2fake", "..", "./sources/ec2/ec2test/ec2fake") })
)

// TestParts finds or builds every part. It is not parallel: Go lets those that
// are begin when all others have ended, so that nothing is compiled beside a
// test that has deadlines.
func TestParts(t *testing.T) {
	for _, find := range []func() (string, error){
		consulBinary, prometheus2Binary, prometheus3Binary, promtoolBinary, alertmanagerBinary, amtoolBinary,
		vmagentBinary, exampleServerBinary, containedServerBinary, shortenBinary, ec2fakeBinary, axeScript, dockerdBinary, dockerBinary, dnsmasqBinary, java, zookeeperJar,
	} {
		need(t, find)
	}
}

// need returns the path of a part, or fails the test with what to do about it.
func need(t testing.TB, find func() (string, error)) string {
	t.Helper()
	path, err := find()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// installed finds a program of the distribution and makes sure of its version,
// since a newer one on the PATH would leave the old one untested.
func installed(name, version string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w\ninstall it: apt-get install --no-install-recommends prometheus", err)
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w\n%s", path, err, out)
	}
	if !strings.Contains(string(out), version) {
		return "", fmt.Errorf("%s is not %s* as Debian 12 packages it, but: %s", path, version, out)
	}
	return path, nil
}

// packaged finds a program that a package of the distribution brings.
func packaged(name, pkg string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w\ninstall it: apt-get install --no-install-recommends %s", err, pkg)
	}
	return path, nil
}

// fromSource compiles a program of this repository.
func fromSource(name, module, pkg string, env ...string) (string, error) {
	path := filepath.Join(scratch, name)
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// binary returns the compiled part, building it when it is not in the cache.
func (p part) binary() (string, error) {
	key, err := p.key()
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	dir := filepath.Join(cache, "mcp-sd-e2e")
	path := filepath.Join(dir, p.name+"-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, p.build(dir, path)
}

// build compiles next to the final place and renames, so that an interrupted
// or a concurrent build never leaves half a binary in the cache.
func (p part) build(dir, path string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "e2e: building %s; the first time this takes %s\n", p.name, p.takes)
	staged := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd := exec.Command("go", append(append([]string{"build"}, p.flags...), "-o", staged, p.pkg)...)
	cmd.Dir = p.module
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in e2e/%s: %w\n%s", p.name, p.module, err, out)
	}
	return os.Rename(staged, path)
}

// key changes with whatever changes the binary.
func (p part) key() (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, runtime.Version(), p.pkg, p.flags)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(p.module, name))
		if err != nil {
			return "", err
		}
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}
