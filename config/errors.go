package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with the configuration.
type Error struct {
	File  string // as it was named on the command line or in source_files
	Line  int    // counted from 1; 0 where the trouble is with the whole file
	Field string // from the top: "sources[1].consul.servers[0]"; empty for the whole file
	Err   error  // what is wrong and what to write instead; no secret is in it
}

func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e Error) Unwrap() error { return e.Err }

// Errors is everything wrong with the configuration, ordered by file, line and
// field.
// It never is empty.
type Errors struct {
	List []Error
}

// Error prints one error per line.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, one := range e.List {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each of them.
func (e *Errors) Unwrap() []error {
	errs := make([]error, len(e.List))
	for i, one := range e.List {
		errs[i] = one
	}
	return errs
}

// errorList gathers errors while a configuration is read.
type errorList struct {
	list []Error
}

func (l *errorList) add(e Error) {
	e.Err = redacted{e.Err}
	l.list = append(l.list, e)
}

// err returns what was gathered as *Errors, or nil.
func (l *errorList) err() error {
	if len(l.list) == 0 {
		return nil
	}
	list := slices.Clone(l.list)
	slices.SortStableFunc(list, func(a, b Error) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field))
	})
	return &Errors{List: list}
}

// redacted keeps an error's chain, and hides the credentials of URLs in its text.
type redacted struct{ error }

func (r redacted) Error() string { return redactURLs(r.error.Error()) }

func (r redacted) Unwrap() error { return r.error }
