package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// once runs one pass of mcp-sd and returns its exit status. On a terminal it
// prints a summary, from cron only what went wrong.
func (s *show) once(ctx context.Context, onTerminal bool) (int, error) {
	s.say("      $ mcp-sd --once --config.file=mcp-sd.yml\n")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.path("bin", "mcp-sd"), "--once", "--config.file=mcp-sd.yml", "--state.path=state")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.out, s.errs
	err := s.runOn(cmd, onTerminal)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("running mcp-sd: %w", err)
	}
	return 0, nil
}

func (s *show) runOn(cmd *exec.Cmd, onTerminal bool) error {
	if !onTerminal {
		return cmd.Run()
	}
	outside, inside, err := terminal()
	if err != nil { // then it is as from cron
		return cmd.Run()
	}
	defer outside.Close()
	cmd.Stdout = inside
	err = cmd.Start()
	_ = inside.Close()
	if err != nil {
		return err
	}
	printed, _ := io.ReadAll(outside) // ends with an error when the other side is closed
	_, _ = s.out.Write(bytes.ReplaceAll(printed, []byte("\r\n"), []byte("\n")))
	return cmd.Wait()
}

// A file is one that mcp-sd wrote.
type file struct {
	path    string
	content []byte
}

// targets reads the files that Prometheus would read.
func (s *show) targets() ([]file, error) {
	paths, err := filepath.Glob(s.path("targets", "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("mcp-sd wrote no file")
	}
	var all []file
	for _, p := range paths {
		content, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("reading what mcp-sd wrote: %w", err)
		}
		all = append(all, file{p, content})
	}
	return all, nil
}

func same(a, b []file) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].path != b[i].path || !bytes.Equal(a[i].content, b[i].content) {
			return false
		}
	}
	return true
}
