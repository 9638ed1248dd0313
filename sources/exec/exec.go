// Package exec lists what a program prints: a list of targets in the format of
// Prometheus' file_sd, as JSON. It is the way to write a source in any language.
//
// The program is run once per refresh, without a shell and with next to no
// environment. It lists when it ends with status 0 after it printed one whole
// list, of which [] means none. Anything else is a failure, and what it listed
// last stands: another status, no list or half of one, more output than the
// limit, more time than source_timeout. When it ends, or has to, its whole
// process group goes with it.
//
// The caveat: what it prints counts as the operator's own words, as what stands
// in a file of the static source does. A program that passes on what others may
// write has to choose the names of labels itself.
package exec

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"github.com/mcp-sd/mcp-sd/sources/filesd"
	"github.com/mcp-sd/mcp-sd/target"
)

// partName is the name of the only part.
const partName = "program"

// source is a target.Source.
type source struct {
	name    string
	program program
	timeout time.Duration
	log     *slog.Logger
	listed  bool              // by the last call
	sum     [sha256.Size]byte // of what it listed
}

// New builds the source. It runs nothing.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	opts.SetDirectory(env.Dir)
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	return &source{
		name: env.Source, program: opts.program(),
		timeout: cmp.Or(env.Timeout, 30*time.Second), log: env.Logger,
	}, nil
}

// Discover implements target.Source: it runs the program.
func (s *source) Discover(ctx context.Context) target.Listing {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	l := target.Listing{Source: s.name, Parts: []target.Part{s.list(ctx)}}
	l.At = time.Now()
	l.Took = l.At.Sub(began)
	return l
}

func (s *source) list(ctx context.Context) target.Part {
	p := target.Part{Name: partName}
	before, known := s.sum, s.listed
	s.listed = false
	output, said, err := s.program.run(ctx)
	if err != nil {
		p.Err = err
		return p
	}
	if said != "" {
		s.log.Debug("the program wrote to its standard error", "text", said)
	}
	s.sum = sha256.Sum256(output)
	if known && s.sum == before {
		p.Unchanged, s.listed = true, true
		return p
	}
	groups, err := parse(output)
	if err != nil {
		p.Err = s.program.failure(BadOutput, said, fmt.Errorf("what it printed is no list of targets: %w", err))
		return p
	}
	p.Raw, s.listed = filesd.Raws(groups), true
	return p
}

func parse(output []byte) ([]filesd.Group, error) {
	if len(bytes.TrimSpace(output)) == 0 {
		return nil, fmt.Errorf("it is empty (%d bytes): print [] to list no targets", len(output))
	}
	return filesd.ParseJSON(output)
}
