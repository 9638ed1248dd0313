// Package discovery is the engine: it joins what the sources list with what
// the probes saw and decides which targets Prometheus is given.
//
//	Discover → Listing → Relabel → Merge → Sweep → Judge → Decide → Render → Store → remember
//
// State is a value with one owner, the goroutine inside Engine.Run or
// Engine.Once; Decide reads it and returns a Plan without touching anything;
// only what a Publisher says it wrote is remembered as published. Failures are
// data in the State, which is how "empty" and "broken" stay different.
//
// The caveat: everything here works on complete sets. A source that hands over
// a part of what it knows, without saying that it failed, takes targets away;
// the guard (contract §6) is the last line against that, not the first.
package discovery
