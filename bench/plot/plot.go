// Package plot draws the two kinds of picture that the benchmarks need, as SVG
// that reads in light and dark: bars with their 95th percentile, and lines on
// two logarithmic axes.
//
// It knows nothing of what it draws, and does nothing that these two do not
// need.
package plot

import (
	"bytes"
	"fmt"
	"html"
)

const (
	width  = 820
	margin = 22
	style  = `text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#24292f}` +
		`.title{font-size:15px;font-weight:600}.soft{fill:#57606a}.value{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}`
)

// colours tell apart up to five things, for those as well who see no red and
// green; mcp-sd has the first.
func colour(i int) string {
	all := [...]string{"#0969da", "#8c959f", "#d4792a", "#7b5bb5", "#3f8f5f"}
	return all[i%len(all)]
}

// canvas collects the elements of a picture.
type canvas struct{ bytes.Buffer }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(class string, x, y float64, text string) {
	c.add(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, html.EscapeString(text))
}

// picture puts a frame and a title around what was drawn.
func (c *canvas) picture(title string, height float64) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(&b, "<style>%s</style>\n", style)
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%d" height="%.0f" rx="8" fill="#ffffff" stroke="#d0d7de"/>`+"\n", width-1, height-1)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="%d">%s</text>`+"\n", margin, margin+10, html.EscapeString(title))
	b.Write(c.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}
