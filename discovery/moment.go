package discovery

import "time"

// moment is a time that few records have: a word in each of them, where a
// time.Time takes three, and many share. It is never written again; its zero
// value is no time at all.
type moment struct{ at *time.Time }

// momentOf is the moment of t; none where t is zero.
func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{at: &t}
}

// IsZero reports whether there is none.
func (m moment) IsZero() bool { return m.at == nil }

// Time is the moment, or the zero time.
func (m moment) Time() time.Time {
	if m.at == nil {
		return time.Time{}
	}
	return *m.at
}
