package plot

import "math"

// Group is some bars that are to be compared with each other.
type Group struct {
	Name string
	Bars []Bar
}

// Bar is one of them. A group has a scale of its own.
type Bar struct {
	Name  string
	Value float64
	High  float64 // drawn as a thin line on; 0: none
	Label string  // the value, as people read it
	Own   bool    // it is ours
}

const (
	barHeight = 20
	barGap    = 8
	nameWidth = 190
	valueSize = 170
)

// Bars draws horizontal bars: shorter is better, or as the title says.
func Bars(title string, groups ...Group) []byte {
	var c canvas
	y := 2.0*margin + 12
	for _, g := range groups {
		c.text("value", margin, y+13, g.Name)
		y += 24
		most := 0.0
		for _, b := range g.Bars {
			most = math.Max(most, math.Max(b.Value, b.High))
		}
		for i, b := range g.Bars {
			c.bar(b, i, y, (width-2*margin-nameWidth-valueSize)/most)
			y += barHeight + barGap
		}
		y += 14
	}
	return c.picture(title, y+4)
}

func (c *canvas) bar(b Bar, i int, y, scale float64) {
	x, middle := float64(margin+nameWidth), y+barHeight/2
	fill := colour(0)
	if !b.Own {
		fill = colour(i%4 + 1)
	}
	c.text("end", x-10, middle+4.5, b.Name)
	c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="3" fill="%s"/>`, x, y, math.Max(b.Value*scale, 1), barHeight, fill)
	end := b.Value * scale
	if b.High > b.Value {
		end = b.High * scale
		c.add(`<path d="M%.1f %.1fH%.1fM%.1f %.1fv8" stroke="%s" stroke-width="1.5" fill="none"/>`,
			x+b.Value*scale, middle, x+end, x+end, middle-4, fill)
	}
	c.text("value", x+end+8, middle+4.5, b.Label)
}
