// Command bench measures how fast mcp-sd is and what it costs, beside its
// peers: consul-template, Prometheus' own consul_sd, and bare loops that do the
// least that the job takes. It writes what came out to BENCHMARKS.md,
// and a few of the figures into the README.
//
//	go -C bench run .           everything, in about a quarter of an hour
//	go -C bench run . -short    each scenario once, in about one; writes nothing
//
// Everything runs on loopback and ends by itself. The caveat: it needs a quiet
// machine. Ratios between what ran side by side hold on a busy one as well,
// times do not, so only a ratio that no noise explains fails a run, and a
// short one only what is counted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/stage"
)

// limit bounds a whole run, after everything was built.
const limit = 30 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		if ok, err := play(ctx, os.Args[1], os.Args[2:]); ok {
			exit(err)
			return
		}
	}
	exit(run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what a scenario is given.
type bench struct {
	short    bool
	programs *stage.Programs
}

// sized is the number for a full run, or that for a short one.
func (b *bench) sized(full, short int) int {
	if b.short {
		return short
	}
	return full
}

// scenario is one question that is answered.
type scenario struct {
	name string
	run  func(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error)
}

func scenarios() []scenario {
	return []scenario{
		{"consul", consul},
		{"prometheus", prometheusList},
		{"idle", idle},
		{"probing", probing},
		{"hostile", hostile},
		{"start", start},
		{"growth", growth},
	}
}

func run(ctx context.Context) error {
	short := flag.Bool("short", false, "each scenario once and small, to see that it works; writes nothing")
	only := flag.String("only", "", "run these scenarios alone, separated by commas; writes nothing unless -out is given")
	out := flag.String("out", "", "file to write, beside which plots go into docs/benchmarks/ (default ../BENCHMARKS.md of a whole run)")
	flag.Parse()

	programs, err := stage.Build(ctx, "..", os.Stderr)
	if err != nil {
		return err
	}
	defer programs.Close()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b := &bench{short: *short, programs: programs}
	sections, err := b.play(ctx, chosen(*only))
	if err != nil {
		return err
	}
	report := figures.Report{Machine: machine(), Sections: sections}
	whole := *out == "" && !*short && *only == ""
	if whole {
		*out = "../BENCHMARKS.md"
	}
	if *out != "" {
		prose, err := os.ReadFile("profiles.md")
		if err != nil {
			return err
		}
		report.Prose = string(prose)
		if err := report.Write(*out, "docs/benchmarks"); err != nil {
			return err
		}
	}
	if whole {
		if err := report.WriteReadme("../README.md"); err != nil {
			return err
		}
	}
	return report.Err(*short)
}

func chosen(only string) []scenario {
	if only == "" {
		return scenarios()
	}
	names := strings.Split(only, ",")
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return !slices.Contains(names, s.name) })
}

// play runs the scenarios one after the other, so that none disturbs another.
func (b *bench) play(ctx context.Context, chosen []scenario) ([]figures.Section, error) {
	var sections []figures.Section
	for _, sc := range chosen {
		began := time.Now()
		section, err := b.one(ctx, sc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Printf("\n%s (%s)\n%s", section.Title, time.Since(began).Round(100*time.Millisecond), section.Summary())
		sections = append(sections, *section)
	}
	return sections, nil
}

func (b *bench) one(ctx context.Context, sc scenario) (*figures.Section, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := stage.New(ctx, b.programs)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return sc.run(ctx, b, s)
}
