package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/ports"
)

// daemon is the mcp-sd under test.
type daemon struct {
	cmd     *exec.Cmd
	done    chan error
	url     string
	output  string
	log     string
	version fs.FileInfo // of the output, last read
}

const configuration = `
global: {refresh_interval: 30s}
sources:
  - {name: even, static: {files: ['%[1]s/static/[02468].json']}}
  - {name: odd, static: {files: ['%[1]s/static/[13579].json']}}
health: {interval: 15s, timeout: 5s}
outputs: [{path: %[1]s/targets/mcp.json}]
`

// binary is the path of mcp-sd, built into dir unless the environment names one.
func binary(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("MCP_SD_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "mcp-sd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	cmd.Dir = ".." // of the module e2e, where go run starts this
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mcp-sd in the parent of the working directory: %w\n%s", err, out)
	}
	return path, nil
}

func startDaemon(ctx context.Context, dir string) (*daemon, error) {
	path, err := binary(ctx, dir)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "mcp-sd.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, dir), 0o600); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "targets"), 0o700); err != nil {
		return nil, err
	}
	listen, err := ports.Address()
	if err != nil {
		return nil, err
	}
	d := &daemon{
		done: make(chan error, 1), url: "http://" + listen,
		output: filepath.Join(dir, "targets", "mcp.json"), log: filepath.Join(dir, "mcp-sd.log"),
	}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, // it is stopped as operators do
		"--config.file="+config, "--state.path="+filepath.Join(dir, "state"), "--web.listen-address="+listen)
	d.cmd.Stderr = log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.done <- d.cmd.Wait() }()
	return d, nil
}

// readUntil reads every version of the output until then.
func (d *daemon) readUntil(ctx context.Context, then time.Time, m *model) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && time.Now().Before(then) {
		select {
		case err := <-d.done:
			d.done <- err
			return fmt.Errorf("mcp-sd has ended: %w; see %s", err, d.log)
		case <-tick.C:
		}
		if err := d.read(m); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) read(m *model) error {
	info, err := os.Stat(d.output)
	if errors.Is(err, fs.ErrNotExist) && d.version == nil {
		return nil // nothing has been written yet
	}
	if err != nil {
		return err
	}
	if d.version != nil && os.SameFile(info, d.version) && info.ModTime().Equal(d.version.ModTime()) {
		return nil
	}
	content, err := os.ReadFile(d.output)
	if err != nil {
		return err
	}
	d.version = info
	return m.read(content, time.Now())
}

// stop ends the daemon as an operator does.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending mcp-sd: %w", err)
	}
	timeout := time.NewTimer(5 * time.Second)
	defer timeout.Stop()
	select {
	case err := <-d.done:
		d.done <- err
		if err != nil {
			return fmt.Errorf("mcp-sd ended with %w; see %s", err, d.log)
		}
		return nil
	case <-timeout.C:
		return errors.New("mcp-sd still runs 5s after SIGTERM")
	}
}

func (d *daemon) kill() { _ = d.cmd.Process.Kill() }

// complaints are the errors in the log: in a run like this there is no cause
// for any.
func (d *daemon) complaints() error {
	log, err := os.ReadFile(d.log)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte("level=ERROR")) || bytes.Contains(line, []byte("the guard holds")) {
			return fmt.Errorf("the log says %s", bytes.TrimSpace(line))
		}
	}
	return nil
}

// metrics are the daemon's samples without labels.
func (d *daemon) metrics(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	samples := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			samples[name] = value
		}
	}
	return samples, nil
}
