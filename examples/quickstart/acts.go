package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// discover lets mcp-sd find, probe and write the fleet once, and shows the files.
func (s *show) discover(ctx context.Context) error {
	s.say("\n[3/4] Discovering, probing and writing them")
	status, err := s.once(ctx, true)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("mcp-sd ended with exit status %d", status)
	}
	written, err := s.targets()
	if err != nil {
		return err
	}
	for _, f := range written {
		s.say("\n%s", f.path)
		s.say("%s", strings.TrimSpace(string(f.content)))
	}
	s.say("\nThe one that is pending joins them with its first good answer, or marked down after\n" +
		"admit_timeout: an instance that never came up is an outage too.")
	return nil
}

// breakSource damages the list and shows that this costs no target.
func (s *show) breakSource(ctx context.Context) error {
	s.say("\n[4/4] The list breaks: something cuts racks.yml off in the middle, and cron runs mcp-sd")
	before, err := s.targets()
	if err != nil {
		return err
	}
	whole, err := os.ReadFile(s.path("racks.yml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("racks.yml"), whole[:len(whole)-len(whole)/3], 0o644); err != nil {
		return err
	}
	status, err := s.once(ctx, false)
	if err != nil {
		return err
	}
	after, err := s.targets()
	if err != nil {
		return err
	}
	if status != 5 || !same(before, after) {
		return fmt.Errorf("mcp-sd should have kept all targets and ended with exit status 5, it ended with %d", status)
	}
	s.say("\nExit status 5: a source failed. The files are what they were: every target stays.")
	return nil
}

// next says what to try.
func (s *show) next(context.Context) error {
	s.say(`
Next:
  go run ./examples/quickstart --stay   keeps all of it running, to edit, stop and watch
  README.md, "Install"                  your own fleet`)
	if s.keep {
		s.say("  %-36s  what you have just seen", s.dir)
	}
	return nil
}
