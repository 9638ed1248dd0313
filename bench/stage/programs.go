package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Programs are the paths of what is compared.
type Programs struct {
	MCPSD          string
	Consul         string
	Prometheus     string
	ConsulTemplate string
	Self           string // this benchmark: it plays the bare loops
}

// A program is compiled from a pinned module.
type program struct {
	name   string
	module string // folder with the go.mod that pins it
	pkg    string
	flags  []string
	takes  string // how long a first build takes
}

// Build compiles what is not in the cache yet, which it shares with the
// end-to-end tests. root is the folder of mcp-sd's own module.
func Build(ctx context.Context, root string, say io.Writer) (*Programs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "mcp-sd-e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a cache
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all := &Programs{Self: self, MCPSD: filepath.Join(dir, fmt.Sprintf("mcp-sd-bench-%d", os.Getpid()))}
	for _, p := range []struct {
		program
		path *string
	}{
		{program{"consul", "e2e", "github.com/hashicorp/consul", nil, "10 to 20 minutes"}, &all.Consul},
		{program{
			"prometheus", "e2e/prometheus3", "github.com/prometheus/prometheus/cmd/prometheus",
			[]string{"-tags=remove_all_sd,enable_consul_sd", "-trimpath"},
			"about 5 minutes",
		}, &all.Prometheus},
		{program{"consul-template", "bench/consultemplate", "github.com/hashicorp/consul-template", []string{"-trimpath"}, "half a minute"}, &all.ConsulTemplate},
	} {
		if *p.path, err = p.cached(ctx, root, dir, say); err != nil {
			return nil, err
		}
	}
	return all, compile(ctx, root, all.MCPSD, ".", "-trimpath")
}

// Close removes what was built for this run alone.
func (p *Programs) Close() { _ = os.Remove(p.MCPSD) }

func (p program) cached(ctx context.Context, root, dir string, say io.Writer) (string, error) {
	module := filepath.Join(root, p.module)
	key, err := p.key(module)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	path := filepath.Join(dir, p.name+"-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	_, _ = fmt.Fprintf(say, "building %s; the first time this takes %s\n", p.name, p.takes)
	// Compiled next to its final place, so that an interrupted build never
	// leaves half a program in the cache.
	staged := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := compile(ctx, module, staged, p.pkg, p.flags...); err != nil {
		return "", err
	}
	return path, os.Rename(staged, path)
}

func compile(ctx context.Context, module, path, pkg string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", path, pkg)...)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", pkg, module, err, out)
	}
	return nil
}

// key changes with whatever changes the program.
func (p program) key(module string) (string, error) {
	hash := sha256.New()
	_, _ = fmt.Fprintln(hash, runtime.Version(), p.pkg, p.flags)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}
