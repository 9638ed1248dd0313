package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// do runs f between two steps in the goroutine that owns the state. It returns
// when f has run.
func (e *Engine) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case e.commands <- func() { f(); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the engine is busy or at its end: %w", context.Cause(ctx))
	}
}

// act is do for what changes the state: a step follows.
func (e *Engine) act(ctx context.Context, f func()) error {
	return e.do(ctx, func() { f(); e.due = true })
}

// Accept lets through what the guard holds now, of one source or, with an empty
// name, of all, and returns exactly those targets. by says who did it; it goes
// into the journal.
func (e *Engine) Accept(ctx context.Context, source, by string) ([]KeptTarget, error) {
	var held []KeptTarget
	var err error
	if e := e.act(ctx, func() { held, err = e.accept(source, by) }); e != nil {
		return nil, e
	}
	return held, err
}

func (e *Engine) accept(source, by string) ([]KeptTarget, error) {
	if source != "" && e.state.Source(source) == nil {
		return nil, fmt.Errorf("there is no source %q; there are %s", source, strings.Join(e.state.names(), ", "))
	}
	return e.acceptHeld(source, by), nil
}

func (s *State) names() []string {
	var names []string
	for _, src := range s.Sources {
		names = append(names, src.Name)
	}
	return names
}

// ErrStays is in the chain where a target is not to be removed.
var ErrStays = errors.New("only lingering and held targets can be removed")

// Remove takes out the lingering or held targets at an address now, and returns
// them.
func (e *Engine) Remove(ctx context.Context, address, by string) ([]KeptTarget, error) {
	var gone []KeptTarget
	var err error
	if e := e.act(ctx, func() { gone, err = e.remove(address, by) }); e != nil {
		return nil, e
	}
	return gone, err
}

func (e *Engine) remove(address, by string) ([]KeptTarget, error) {
	plan := Decide(e.state, e.policy, e.Now())
	gone := slices.DeleteFunc(plan.kept(), func(k KeptTarget) bool { return k.Key.Address != address || k.Rule == RuleGuardFile })
	if len(gone) == 0 {
		return nil, fmt.Errorf("%s: %w; take it out of its source, or see what mcp-sd explain %s says", address, ErrStays, address)
	}
	for _, k := range gone {
		e.state.Record(k.Key).Accepted = by
	}
	return gone, nil
}
