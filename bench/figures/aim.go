package figures

import "fmt"

// Aim is one figure and what it should be. A bound of 0 is none.
type Aim struct {
	What   string
	Got    float64
	Format func(float64) string // nil: a plain ratio

	AtMost, AtLeast float64 // what it should be
	Shown           bool    // in the README as well
	// Broken is beyond what noise explains: a run with such a ratio fails. It
	// bounds in the same direction; 0 never fails, as for absolute times.
	Broken  float64
	Counted bool // no timing: it holds however short the run and busy the machine
}

// Ratio writes a ratio as people read it.
func Ratio(r float64) string { return fmt.Sprintf("%.2f×", r) }

// Percent writes a share.
func Percent(r float64) string { return fmt.Sprintf("%.1f %%", r*100) }

// Whole writes a number that has no fractions.
func Whole(r float64) string { return fmt.Sprintf("%.0f", r) }

func (a Aim) format(v float64) string {
	if a.Format == nil {
		return Ratio(v)
	}
	return a.Format(v)
}

// Met reports whether the figure is what it should be.
func (a Aim) Met() bool {
	if a.AtLeast != 0 {
		return a.Got >= a.AtLeast
	}
	return a.Got <= a.AtMost
}

// Err is not nil for a ratio that no noise explains.
func (a Aim) Err() error {
	broken := a.Got > a.Broken
	if a.AtLeast != 0 {
		broken = a.Got < a.Broken
	}
	if a.Broken == 0 || !broken {
		return nil
	}
	return fmt.Errorf("%s: %s, %s", a.What, a.format(a.Got), a.bound())
}

func (a Aim) bound() string {
	if a.AtLeast != 0 {
		return "at least " + a.format(a.AtLeast)
	}
	return "at most " + a.format(a.AtMost)
}

func (a Aim) row() []string {
	met := "yes"
	if !a.Met() {
		met = "**no**"
	}
	return []string{a.What, a.format(a.Got), a.bound(), met}
}
