package docs

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Measures of a picture, in pixels but for columns.
const (
	columns    = 100
	lineHeight = 18
	charWidth  = 8.2
	margin     = 18
	titleBar   = 30
)

// Picture draws what a terminal shows as an SVG: readable in light and dark,
// with text that can be selected and found.
func Picture(title, text string) []byte {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		lines = append(lines, wrapped(l)...)
	}
	width := int(columns*charWidth) + 2*margin
	height := len(lines)*lineHeight + titleBar + 2*margin

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	b.WriteString(`<style>text{font:13.6px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d8dee9;white-space:pre}` +
		`.step{fill:#ffffff;font-weight:bold}.key{fill:#88c0d0}.value{fill:#a3be8c}.bad{fill:#ebcb8b}.title{fill:#9aa4b5}</style>` + "\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#20252e"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="%d">%s</text>`+"\n", margin, titleBar-8, html.EscapeString("$ "+title))
	for i, l := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", margin, titleBar+margin+(i+1)*lineHeight-6, coloured(l))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// wrapped breaks a line as a terminal does, but between words.
func wrapped(line string) []string {
	var lines []string
	for utf8.RuneCountInString(line) > columns {
		at := strings.LastIndexByte(string([]rune(line)[:columns]), ' ')
		if at <= 0 {
			break
		}
		lines = append(lines, line[:at])
		line = "    " + line[at+1:]
	}
	return append(lines, line)
}

// coloured marks what the eye should find in a line.
func coloured(line string) string {
	span := func(class, s string) string {
		return `<tspan class="` + class + `">` + html.EscapeString(s) + `</tspan>`
	}
	name, value, isPair := strings.Cut(line, `": "`)
	switch {
	case strings.HasPrefix(line, "["):
		if _, step, ok := strings.Cut(line, "] "); ok && step != "" {
			return span("step", line)
		}
	case strings.Contains(line, " 500 "), strings.Contains(line, "  pending  "), strings.HasPrefix(line, "level="), strings.HasPrefix(line, "Exit status"):
		return span("bad", line)
	case isPair:
		return span("key", name+`"`) + ": " + span("value", `"`+value)
	case strings.HasPrefix(strings.TrimSpace(line), `"`):
		return span("value", line)
	}
	return html.EscapeString(line)
}
