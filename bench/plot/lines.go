package plot

import (
	"fmt"
	"math"
	"strings"
)

// Line is one thing that grows.
type Line struct {
	Name string
	X, Y []float64 // both above 0
}

// Chart is lines on two logarithmic axes, with what linear growth would look
// like from the first point of each line.
type Chart struct {
	Title, XName string
	XLabel       func(float64) string
	YLabel       func(float64) string
	Lines        []Line
}

const (
	chartHeight = 380
	axisLeft    = 92
	axisBottom  = 56
	axisTop     = 58
	legend      = 210
)

// frame maps values to places.
type frame struct{ minX, maxX, minY, maxY float64 }

func (f frame) x(v float64) float64 {
	return axisLeft + (math.Log10(v)-f.minX)/(f.maxX-f.minX)*(width-axisLeft-legend-margin)
}

func (f frame) y(v float64) float64 {
	return chartHeight - axisBottom - (math.Log10(v)-f.minY)/(f.maxY-f.minY)*(chartHeight-axisBottom-axisTop)
}

// Draw draws the chart.
func (ch Chart) Draw() []byte {
	f := ch.frame()
	var c canvas
	ch.axes(&c, f)
	for i, l := range ch.Lines {
		c.line(f, l, colour(i))
		y := axisTop + 22*float64(i) + 10
		c.add(`<path d="M%d %.1fh22" stroke="%s" stroke-width="3"/>`, width-legend+4, y-4, colour(i))
		c.text("", width-legend+34, y, l.Name)
	}
	y := axisTop + 22*float64(len(ch.Lines)) + 10
	c.add(`<path d="M%d %.1fh22" stroke="#8c959f" stroke-dasharray="3 4"/>`, width-legend+4, y-4)
	c.text("soft", width-legend+34, y, "linear growth")
	return c.picture(ch.Title, chartHeight)
}

// frame spans whole decades around all values.
func (ch Chart) frame() frame {
	f := frame{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, l := range ch.Lines {
		for i := range l.X {
			f.minX, f.maxX = math.Min(f.minX, math.Log10(l.X[i])), math.Max(f.maxX, math.Log10(l.X[i]))
			f.minY, f.maxY = math.Min(f.minY, math.Log10(l.Y[i])), math.Max(f.maxY, math.Log10(l.Y[i]))
		}
	}
	f.minY, f.maxY = math.Floor(f.minY), math.Ceil(f.maxY)
	if f.maxY == f.minY {
		f.maxY++
	}
	if f.maxX == f.minX {
		f.maxX++
	}
	return f
}

func (ch Chart) axes(c *canvas, f frame) {
	right := width - legend - margin
	for d := math.Ceil(f.minX); d <= f.maxX+1e-9; d++ {
		x := f.x(math.Pow(10, d))
		c.add(`<path d="M%.1f %dV%d" stroke="#eaeef2"/>`, x, axisTop, chartHeight-axisBottom)
		c.text("soft middle", x, chartHeight-axisBottom+20, ch.XLabel(math.Pow(10, d)))
	}
	for d := f.minY; d <= f.maxY; d++ {
		y := f.y(math.Pow(10, d))
		c.add(`<path d="M%d %.1fH%d" stroke="#eaeef2"/>`, axisLeft, y, right)
		c.text("soft end", axisLeft-8, y+4.5, ch.YLabel(math.Pow(10, d)))
	}
	c.text("soft middle", float64(axisLeft+right)/2, chartHeight-14, ch.XName)
}

func (c *canvas) line(f frame, l Line, colour string) {
	if len(l.X) == 0 {
		return
	}
	last := len(l.X) - 1
	// Cut where it leaves the picture.
	straight := math.Min(l.Y[0]*l.X[last]/l.X[0], math.Pow(10, f.maxY))
	c.add(`<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-opacity=".55" stroke-dasharray="3 4" fill="none"/>`,
		f.x(l.X[0]), f.y(l.Y[0]), f.x(l.X[0]*straight/l.Y[0]), f.y(straight), colour)
	var path strings.Builder
	for i := range l.X {
		step := "L"
		if i == 0 {
			step = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", step, f.x(l.X[i]), f.y(l.Y[i]))
		c.add(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`, f.x(l.X[i]), f.y(l.Y[i]), colour)
	}
	c.add(`<path d="%s" stroke="%s" stroke-width="2.5" fill="none"/>`, path.String(), colour)
}
