package metrics

import (
	"net/http"
	"strings"
)

// route is the value of the label route for a request that was answered.
func (m *Metrics) route(r *http.Request, status int) string {
	if path := withoutMethod(r.Pattern); path != "" && (path != "/" || r.URL.Path == "/") {
		m.routes.admit(path)
		return path
	}
	// No router, or its last resort "/", which says nothing.
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		return Other
	}
	return normalised(r.URL.Path)
}

// withoutMethod takes the method from a pattern of http.ServeMux. The host, if
// it names one, stays with the path.
func withoutMethod(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return strings.TrimLeft(path, " \t")
	}
	return pattern
}

const maxSegments = 8

// normalised puts {id} where a path has a number, a UUID or a 24-digit
// hexadecimal object id. What is too long or too deep to be a route is Other.
func normalised(path string) string {
	if !strings.HasPrefix(path, "/") || len(path) > 4*maxLength {
		return Other
	}
	segments := strings.Split(path, "/")
	if len(segments) > maxSegments+1 {
		return Other
	}
	for i, s := range segments {
		if isID(s) {
			segments[i] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

func isID(segment string) bool {
	switch len(segment) {
	case 0:
		return false
	case 24:
		return all(segment, isHex)
	case 36:
		return isUUID(segment)
	default:
		return all(segment, isDigit)
	}
}

func isUUID(s string) bool {
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !isHex(c) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
