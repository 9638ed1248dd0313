package health

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const detailLimit = 200 // bytes of Result.Detail

// clean makes a text fit for a log line, a status page and the state file:
// valid UTF-8, one line, no control characters, at most 200 bytes.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= detailLimit {
		return s
	}
	const dots = "…"
	cut := detailLimit - len(dots)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + dots
}

// withoutURL takes the URL off an error of net/http: it may hold user
// information and parameters.
func withoutURL(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
