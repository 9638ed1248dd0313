package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/discovery/targetgroup"
)

// hearing judges what a mechanism sends, and its silence. It belongs to the
// goroutine of its item.
//
// A mechanism that refreshes sends all that it knows after every refresh that did
// not fail, so that silence of three intervals is a failure, and an answer without
// targets says that there are none. A stream sends what changed: there silence is
// the normal case, and only what it logs tells of a failure.
type hearing struct {
	traits  traits
	ear     *ear
	groups  *groups
	timeout time.Duration // for the first outcome
	limit   time.Duration // of silence afterwards; 0: none

	began    time.Time
	sign     time.Time // of life
	outcome  bool      // there was one
	judged   int       // the number of the latest attempt that was judged
	spoke    bool      // it has sent something
	settling bool      // a stream has sent something that was not listed yet
	skipped  float64   // answers that nothing has changed
}

// silences is how many intervals a mechanism that refreshes may be silent.
const silences = 3

func newHearing(i *item, e *ear, now time.Time) *hearing {
	h := &hearing{traits: i.traits, ear: e, groups: newGroups(i.traits), timeout: i.timeout, began: now, sign: now}
	if !i.traits.stream {
		h.limit = silences * (durationOf(i.config, "refresh_interval") + durationOf(i.config, "fetch_timeout"))
	}
	return h
}

// answered takes what was sent.
func (h *hearing) answered(sent []*targetgroup.Group, now time.Time) (report, bool) {
	h.groups.merge(sent)
	h.sign, h.spoke = now, true
	if h.traits.stream {
		h.settling = true
		return report{}, false
	}
	if r, failed := h.failure(); failed {
		return r, true
	}
	return h.good(), true
}

func (h *hearing) good() report {
	h.outcome, h.settling = true, false
	return report{listed: h.groups.list()}
}

func (h *hearing) fail(class string, err error) (report, bool) {
	h.outcome = true
	return report{err: &Failure{class, err}}, true
}

// failure is that of the latest attempt, if it failed.
func (h *hearing) failure() (report, bool) {
	a := h.ear.latest()
	h.judged = a.number
	if !a.failed {
		return report{}, false
	}
	return h.failedRefresh(a.reason)
}

func (h *hearing) failedRefresh(reason string) (report, bool) {
	return h.fail(Refresh, errors.New(cmp.Or(reason, "its counters say that a refresh failed or left something out")))
}

// woken looks at what was logged or counted.
func (h *hearing) woken(now time.Time) (report, bool) {
	if h.traits.stream {
		if l := h.ear.state(); l.broken != "" {
			h.settling = false
			return h.fail(Refresh, errors.New(l.broken))
		}
		h.settling, h.sign = h.spoke, now // it is mended: whole once nothing more comes
		return report{}, false
	}
	if h.traits.unchanged != "" {
		return h.counted(now)
	}
	if h.ear.latest().number == h.judged {
		return report{}, false
	}
	r, failed := h.failure()
	if failed {
		h.sign = now
	}
	return r, failed
}

// counted looks at the counters of a mechanism that asks and is told that nothing
// changed.
func (h *hearing) counted(now time.Time) (report, bool) {
	h.ear.mu.Lock()
	rose := h.ear.rose()
	reason := h.ear.reason
	skipped := h.ear.count(func(name string) bool { return name == h.traits.unchanged })
	h.ear.mu.Unlock()
	answered := skipped > h.skipped
	h.skipped = skipped
	switch {
	case rose:
		h.sign = now
		return h.failedRefresh(reason)
	case answered:
		h.sign = now
		return h.good(), true
	}
	return report{}, false
}

// settle is how long a stream has to be quiet after what it sent before that counts
// as all, and recovery how long after a failure, which is longer than a mechanism
// takes to notice that another of its paths is still broken.
const (
	settle   = 2 * time.Second
	recovery = 12 * time.Second
)

// settled is when a stream's set is whole.
func (h *hearing) settled() time.Time {
	at := h.sign.Add(settle)
	if l := h.ear.state(); !l.at.IsZero() && h.outcome {
		if mended := l.at.Add(recovery); mended.After(at) {
			at = mended
		}
	}
	return at
}

// late judges a silence.
func (h *hearing) late(now time.Time) (report, bool) {
	if h.traits.unchanged != "" {
		if r, news := h.counted(now); news {
			return r, true
		}
	}
	switch {
	case h.settling && !now.Before(h.settled()) && h.ear.state().broken == "":
		return h.good(), true
	case !h.outcome && now.Sub(h.began) >= h.timeout:
		return h.fail(NoAnswer, fmt.Errorf("it has not answered within source_timeout (%s): %w", h.timeout, context.DeadlineExceeded))
	case h.outcome && h.limit > 0 && now.Sub(h.sign) >= h.limit:
		h.sign = now
		return h.fail(Silent, fmt.Errorf("nothing was heard of it for %s, the time of %d refreshes", h.limit, silences))
	}
	return report{}, false
}

// look is how often counters are read that nobody tells of.
const look = time.Second

// sleep is how long nothing has to be judged.
func (h *hearing) sleep(now time.Time) time.Duration {
	wait := h.timeout - now.Sub(h.began)
	if h.outcome {
		wait = time.Hour
		if h.limit > 0 {
			wait = h.limit - now.Sub(h.sign)
		}
	}
	if h.settling && h.ear.state().broken == "" {
		wait = min(wait, h.settled().Sub(now))
	}
	if h.traits.unchanged != "" {
		wait = min(wait, look)
	}
	return max(wait, time.Millisecond)
}
