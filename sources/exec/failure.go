package exec

import (
	"slices"
	"strings"
	"unicode"
)

// Why a program has not listed, in one word for a metric.
const (
	NotStarted = "start"       // there is no such program, or it may not be run
	ExitStatus = "exit_status" // it said so itself
	BadOutput  = "bad_output"  // no list, or half of one
	TooLarge   = "too_large"   // more than output_limit
	TimedOut   = "timeout"     // more than source_timeout
	Canceled   = "canceled"    // mcp-sd has ended it
)

// Failure is why a program has not listed.
type Failure struct {
	Class   string
	Command string
	Said    string // the end of its standard error
	Err     error
}

func (f *Failure) Error() string {
	text := f.Command + ": " + f.Err.Error()
	if f.Said != "" {
		text += "; it said: " + f.Said
	}
	return text
}

// Unwrap returns what went wrong.
func (f *Failure) Unwrap() error { return f.Err }

// Reason is the class, for a metric that knows no mechanism.
func (f *Failure) Reason() string { return f.Class }

const (
	// kept is how much of the end of its standard error is remembered,
	kept = 4 << 10
	// shown how much of that an error has, in bytes,
	shown = 400
	// and in lines.
	lines = 4
)

// lastWords makes one line of the end of a standard error, with nothing in it
// that a terminal would obey, and none of the secrets.
func lastWords(stderr []byte, secrets *strings.Replacer) string {
	text := strings.ToValidUTF8(secrets.Replace(string(stderr)), "�")
	var last []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strings.Map(printable, line)); line != "" {
			last = append(last, line)
		}
	}
	// Once more: what cannot be printed may have stood in the middle of a secret.
	text = secrets.Replace(strings.Join(last[max(len(last)-lines, 0):], " | "))
	if len(text) <= shown {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-shown:], "")
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return -1
	}
	return r
}

// redact takes the values of variables out of a text. Short ones are left: a 1
// or a true is no secret.
func (o *Options) redact() *strings.Replacer {
	var values []string
	for _, v := range o.Env {
		if len(v) >= 6 {
			values = append(values, string(v))
		}
	}
	// The longest first: one may begin with another.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "<secret>")
	}
	return strings.NewReplacer(pairs...)
}
