// Command quickstart shows mcp-sd at work, with one command and nothing
// installed but Go: it builds mcp-sd, starts a small fleet of real MCP servers
// on loopback, one of them unhealthy, lets mcp-sd discover, probe and write
// them, and shows the files that Prometheus would read.
//
// All of it lives in a temporary directory and on loopback, and ends with the
// command.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
)

//go:embed files
var files embed.FS

type flags struct {
	stay bool
	dir  string
}

func main() {
	var f flags
	app := kingpin.New("quickstart", "Shows mcp-sd at work on a fleet of MCP servers on this machine.")
	app.HelpFlag.Short('h')
	app.Flag("stay", "Keep the fleet and mcp-sd running until Ctrl-C, and Prometheus with rules where it is installed.").BoolVar(&f.stay)
	app.Flag("dir", "An empty directory for all files, which stay there; default: a temporary one, removed at the end.").StringVar(&f.dir)
	kingpin.MustParse(app.Parse(os.Args[1:]))

	// SIGHUP as well: mcp-sd takes it for a reload, and would survive the terminal.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, f, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags, out, errs io.Writer) error {
	s, err := newShow(f.dir, out, errs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		s.close()
	}()
	acts := []func(context.Context) error{s.build, s.startFleet, s.discover}
	if f.stay {
		acts = append(acts, s.stay)
	} else {
		acts = append(acts, s.breakSource, s.next)
	}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A show is one run of the quick start.
type show struct {
	dir    string // mcp-sd.yml, racks.yml, targets/, state/
	keep   bool   // dir was asked for, and stays
	module string // directory of the sources
	fleet  []*server
	procs  []*process
	out    io.Writer
	errs   io.Writer
}

func newShow(dir string, out, errs io.Writer) (*show, error) {
	s := &show{dir: dir, keep: dir != "", out: out, errs: errs, fleet: newFleet()}
	var err error
	if s.keep {
		s.dir, err = emptyDir(dir)
	} else {
		s.dir, err = os.MkdirTemp("", "mcp-sd-quickstart-")
	}
	if err != nil {
		return nil, fmt.Errorf("making a directory for the quick start: %w", err)
	}
	for _, sub := range []string{"targets", "state"} {
		if err := os.MkdirAll(s.path(sub), 0o755); err != nil {
			return nil, fmt.Errorf("making a directory for the quick start: %w", err)
		}
	}
	for _, name := range []string{"mcp-sd.yml", "prometheus.yml"} {
		content, err := files.ReadFile("files/" + name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(s.path(name), content, 0o644); err != nil {
			return nil, fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return s, nil
}

// emptyDir makes the directory where there is none, and refuses one that holds
// something.
func emptyDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	held, err := os.ReadDir(dir)
	if err == nil && len(held) > 0 {
		err = fmt.Errorf("%s is not empty, and its files could be overwritten: name another with --dir", dir)
	}
	return dir, err
}

func (s *show) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// close waits for every process and removes the directory.
func (s *show) close() {
	for _, p := range s.procs {
		<-p.done
	}
	if !s.keep {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// build compiles mcp-sd and the example server into the directory.
func (s *show) build(ctx context.Context) error {
	s.say("[1/4] Building mcp-sd and an example MCP server (minutes the first time, then seconds)")
	gomod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("asking go for the module: %w", err)
	}
	s.module = filepath.Dir(strings.TrimSpace(string(gomod)))
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-tags=remove_all_sd", "-o", s.path("bin")+string(filepath.Separator), ".", "./examples/mcp-server")
	build.Dir = s.module
	build.Stdout, build.Stderr = s.errs, s.errs
	if err := build.Run(); err != nil {
		return fmt.Errorf("building in %s: %w", build.Dir, err)
	}
	return nil
}

func (s *show) startFleet(ctx context.Context) error {
	s.say("\n[2/4] Starting a fleet of %d MCP servers", len(s.fleet))
	port := firstPort
	for _, m := range s.fleet {
		var err error
		if port, err = m.start(ctx, s.path("bin", "mcp-server"), s.dir, port); err != nil {
			return err
		}
		s.procs = append(s.procs, m.process)
		note := ""
		if m.sick {
			note = "   answers 500 on /metrics"
		}
		s.say("      http://%s/mcp   %-10s  %s%s", m.address, m.environment, m.region, note)
	}
	if err := os.WriteFile(s.path("racks.yml"), []byte(inventory(s.fleet)), 0o644); err != nil {
		return fmt.Errorf("writing the list of the fleet: %w", err)
	}
	return nil
}
