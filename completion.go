package main

import (
	"context"
	_ "embed" // the shells' scripts
	"regexp"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/mcp-sd/mcp-sd/cli"
	"github.com/mcp-sd/mcp-sd/discovery"
)

// completionTime bounds how long somebody who pressed Tab waits for the daemon.
const completionTime = time.Second

//go:embed completion.bash
var completionBash string

//go:embed completion.zsh
var completionZsh string

// completionScript returns what a shell reads to complete mcp-sd's words.
// kingpin's own scripts know no colon in bash, as addresses have it, nothing
// behind --flag=, and in zsh nothing at the first Tab.
func completionScript(args []string) (script string, asked bool) {
	switch {
	case slices.Contains(args, "--completion-script-bash"):
		return completionBash, true
	case slices.Contains(args, "--completion-script-zsh"):
		return completionZsh, true
	}
	return "", false
}

// completing reports whether a shell asks how a word may end. Then there must be
// no default command: it would take the beginning of another one as its own.
func completing(args []string) bool { return slices.Contains(args, "--completion-bash") }

// complete lets the shell offer what the running daemon knows: every target for
// explain, and what can be let go for remove and accept.
func (f *flags) complete(explained, removed, accepted *kingpin.ArgClause) {
	kept := func(t discovery.TargetView) bool {
		return t.State == discovery.Held || t.State == discovery.Lingering
	}
	explained.HintAction(func() []string {
		return f.offer(func(t discovery.TargetView) (string, bool) { return t.Address, true })
	})
	removed.HintAction(func() []string {
		return f.offer(func(t discovery.TargetView) (string, bool) { return t.Address, kept(t) })
	})
	accepted.HintAction(func() []string {
		return f.offer(func(t discovery.TargetView) (string, bool) { return t.Source, t.State == discovery.Held })
	})
}

// harmless words mean nothing to a shell, which expands what it is offered.
// Addresses are discovered: one that a shell would run is not offered.
const harmless = `^[A-Za-z0-9._:\[\]-]+$`

func (f *flags) offer(word func(discovery.TargetView) (string, bool)) []string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	targets, err := cli.NewClient(f.socket()).Targets(ctx)
	if err != nil {
		return nil
	}
	return words(targets, word)
}

// words are what is offered, each once.
func words(targets []discovery.TargetView, word func(discovery.TargetView) (string, bool)) []string {
	fit := regexp.MustCompile(harmless)
	var all []string
	seen := map[string]bool{}
	for _, t := range targets {
		if w, ok := word(t); ok && !seen[w] && fit.MatchString(w) {
			seen[w] = true
			all = append(all, w)
		}
	}
	return all
}
