package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/reader"
)

// model is what the output has to say, and since when.
type model struct {
	targets map[string]*expected // by address
	took    map[string][]time.Duration
	reads   int
}

// expected is what is known of one target.
type expected struct {
	release   int
	since     time.Time // of the latest change
	seen      bool      // the latest change was seen
	published bool      // once seen, it must be in every version until it is removed
	removed   bool
}

// Kinds of changes.
const (
	addition = "addition"
	newLabel = "new label"
	removal  = "removal"
)

func newModel() *model {
	return &model{targets: map[string]*expected{}, took: map[string][]time.Duration{}}
}

// added notes a new target, or a new label of one.
func (m *model) added(address string, release int, now time.Time) {
	e := m.targets[address]
	if e == nil {
		e = &expected{}
		m.targets[address] = e
	}
	e.release, e.since, e.seen = release, now, false
}

func (m *model) removed(address string, now time.Time) {
	e := m.targets[address]
	e.since, e.seen, e.removed = now, false, true
}

func (e *expected) kind() string {
	switch {
	case e.removed:
		return removal
	case e.published:
		return newLabel
	}
	return addition
}

// read takes one version of the output. The error says what was wrong with it.
func (m *model) read(content []byte, now time.Time) error {
	published, err := parse(content)
	if err != nil {
		return fmt.Errorf("a version of the output can't be read: %w", err)
	}
	m.reads++
	for _, address := range slices.Sorted(maps.Keys(m.targets)) {
		e := m.targets[address]
		release, there := published[address]
		delete(published, address)
		switch {
		case !there && e.published && !e.removed:
			return fmt.Errorf("%s was lost: it is listed, and was published", address)
		case there && e.removed && e.seen:
			return fmt.Errorf("%s is back: it was removed, and nobody lists it", address)
		case there && !e.removed && e.published && release > e.release:
			return fmt.Errorf("%s has release %d, but never had more than %d", address, release, e.release)
		}
		if e.removed && !there || !e.removed && there && release == e.release {
			m.saw(e, now)
		}
	}
	if len(published) > 0 {
		return fmt.Errorf("%q are published, and were never listed", slices.Sorted(maps.Keys(published)))
	}
	return nil
}

// saw notes that a change has arrived.
func (m *model) saw(e *expected, now time.Time) {
	if e.seen {
		return
	}
	m.took[e.kind()] = append(m.took[e.kind()], now.Sub(e.since))
	e.seen = true
	e.published = !e.removed
}

// overdue names a change that has not arrived in time.
func (m *model) overdue(now time.Time) error {
	for _, address := range slices.Sorted(maps.Keys(m.targets)) {
		if e := m.targets[address]; !e.seen && now.Sub(e.since) > late {
			return fmt.Errorf("missed: %s of %s, %s ago", e.kind(), address, now.Sub(e.since).Round(time.Second))
		}
	}
	return nil
}

// waiting is how many changes have not arrived.
func (m *model) waiting() int {
	n := 0
	for _, e := range m.targets {
		if !e.seen {
			n++
		}
	}
	return n
}

func (m *model) forget() { clear(m.took) }

// parse returns each target's release.
func parse(content []byte) (map[string]int, error) {
	targets, err := reader.Targets(content)
	if err != nil {
		return nil, err
	}
	published := make(map[string]int, len(targets))
	for address, labels := range targets {
		release, err := strconv.Atoi(labels["release"])
		if err != nil {
			return nil, fmt.Errorf("the release of %s: %w", address, err)
		}
		published[address] = release
	}
	return published, nil
}
