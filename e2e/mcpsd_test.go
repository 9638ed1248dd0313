package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A workspace is the part of the file system that one mcp-sd has for itself.
type workspace struct {
	dir     string
	config  string
	state   string
	targets string // the directory that Prometheus reads
	static  string // the directory of static target files
}

func newWorkspace(t testing.TB) *workspace {
	t.Helper()
	dir := t.TempDir()
	w := &workspace{
		dir:     dir,
		config:  filepath.Join(dir, "mcp-sd.yml"),
		state:   filepath.Join(dir, "state"),
		targets: filepath.Join(dir, "targets"),
		static:  filepath.Join(dir, "static"),
	}
	for _, sub := range []string{w.state, w.targets, w.static} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// configure writes the configuration, in which $TARGETS and $STATIC stand for
// the workspace's directories.
func (w *workspace) configure(t testing.TB, format string, args ...any) {
	t.Helper()
	content := strings.NewReplacer("$TARGETS", w.targets, "$STATIC", w.static).Replace(fmt.Sprintf(format, args...))
	replaceFile(t, w.config, content)
}

func (w *workspace) output(name string) string { return filepath.Join(w.targets, name) }

// replaceFile does what editors and configuration management do: the file
// changes at once, never in the middle.
func replaceFile(t testing.TB, path, content string) {
	t.Helper()
	staged := path + ".new"
	if err := os.WriteFile(staged, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(staged, path); err != nil {
		t.Fatal(err)
	}
}

// A result is how one call of mcp-sd ended.
type result struct {
	code           int
	stdout, stderr string
}

// once runs mcp-sd --once with the workspace's configuration.
func (w *workspace) once(t testing.TB, flags ...string) result {
	t.Helper()
	return mcpSDCall(t, append([]string{"--config.file=" + w.config, "--state.path=" + w.state, "--once"}, flags...)...)
}

func mcpSDCall(t testing.TB, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), mcpSD, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("mcp-sd %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// A daemon is a running mcp-sd.
type daemon struct {
	*process
	url string
}

// start runs the daemon and waits until it is ready.
func (w *workspace) start(t testing.TB) *daemon {
	t.Helper()
	d := w.launch(t)
	eventually(t, soon, func() error {
		if err := d.running(); err != nil {
			return err
		}
		_, err := httpGet(d.url + "/-/ready")
		return err
	})
	return d
}

// launch runs the daemon without waiting for it.
func (w *workspace) launch(t testing.TB) *daemon {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	return &daemon{
		url: "http://" + listen,
		process: startProcess(t, "mcp-sd", mcpSD,
			"--config.file="+w.config, "--state.path="+w.state, "--web.listen-address="+listen),
	}
}

// stops checks that SIGTERM ends the daemon cleanly in the time it promises.
func (d *daemon) stops(t testing.TB) {
	t.Helper()
	if err := d.stop(t, 5*time.Second); err != nil {
		t.Errorf("mcp-sd ended with %v after SIGTERM, want exit status 0", err)
	}
}

// metric checks one sample of the daemon's own metrics, by its full name with
// labels in alphabetical order.
func (d *daemon) metric(series, want string) error {
	body, err := httpGet(d.url + "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		value, found := strings.CutPrefix(strings.TrimSpace(line), series+" ")
		if found && value != want {
			return fmt.Errorf("%s is %s, want %s", series, value, want)
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("no metric %s, want %s", series, want)
}

// sourceUp is the daemon's verdict on one of its sources.
func (d *daemon) sourceUp(source, kind, want string) error {
	return d.metric(fmt.Sprintf("mcp_sd_source_up{source=%q,type=%q}", source, kind), want)
}
