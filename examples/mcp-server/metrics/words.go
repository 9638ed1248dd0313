package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Other is what a label says instead of a value that it may not have.
const Other = "other"

const (
	maxLearned = 50  // values of a label for which none are declared
	maxRoutes  = 100 // routes that no router names
	maxLength  = 128 // bytes of a value
)

// Labels declares which values labels may have. Every other one becomes Other;
// a nil list takes the first 50 that it sees.
type Labels struct {
	Tools         []string // tool_name
	ErrorTypes    []string // error_type; nil: those that ErrorType knows
	Tiers         []string // user_tier, tier, from_tier and to_tier
	Widgets       []string // widget_type
	DisplayModes  []string // display_mode; nil: inline, pip and fullscreen
	UpdateSources []string // update_source; nil: user, model and server
	Protocols     []string // protocol; nil: streamable_http, sse and stdio
	AuthMethods   []string // method of authentication
	AuthReasons   []string // reason of a failed one
	SignupSources []string // source of a sign-up
	Operations    []string // operation of a database
	Collections   []string // collection of a database
	Caches        []string // cache_type
	Queues        []string // queue_name
}

// allWords has the words of every label there is.
type allWords struct {
	tools, status, errorTypes, tiers *words
	widgets, modes, updates          *words
	protocols, booleans, disconnects *words
	authMethods, authStatus          *words
	authReasons, signups             *words
	operations, collections          *words
	caches, queues                   *words
	httpMethods, routes, statusCodes *words
}

func newWords(l Labels) *allWords {
	return &allWords{
		tools: declared(l.Tools), tiers: declared(l.Tiers), widgets: declared(l.Widgets),
		status:      declared([]string{StatusSuccess, StatusError}),
		errorTypes:  declared(orElse(l.ErrorTypes, ErrorInvalidParams, ErrorTimeout, ErrorCanceled, ErrorUnavailable, ErrorInternal)),
		modes:       declared(orElse(l.DisplayModes, "inline", "pip", "fullscreen")),
		updates:     declared(orElse(l.UpdateSources, "user", "model", "server")),
		protocols:   declared(orElse(l.Protocols, "streamable_http", "sse", "stdio")),
		booleans:    declared([]string{"true", "false"}),
		disconnects: declared([]string{disconnectClient, disconnectIdle, disconnectShutdown, disconnectServer, disconnectError}),
		authMethods: declared(l.AuthMethods), authReasons: declared(l.AuthReasons),
		authStatus: declared([]string{StatusSuccess, StatusFailure}),
		signups:    declared(l.SignupSources),
		operations: declared(l.Operations), collections: declared(l.Collections),
		caches: declared(l.Caches), queues: declared(l.Queues),
		httpMethods: declared([]string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
			http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
		}),
		routes:      &words{known: map[string]bool{}, free: maxRoutes},
		statusCodes: declared(standardCodes()),
	}
}

func orElse(given []string, defaults ...string) []string {
	if given == nil {
		return defaults
	}
	return given
}

// standardCodes are the statuses that HTTP knows.
func standardCodes() []string {
	var all []string
	for code := range 600 {
		if http.StatusText(code) != "" {
			all = append(all, strconv.Itoa(code))
		}
	}
	return all
}

// words are the values that a label may have.
type words struct {
	declared []string

	mu    sync.RWMutex
	known map[string]bool
	free  int // that may still be learned
}

// declared returns exactly these words, or where there are none as many as may
// be learned.
func declared(list []string) *words {
	w := &words{known: map[string]bool{}}
	if list == nil {
		w.free = maxLearned
		return w
	}
	for _, word := range list {
		if legal(word) && !slices.Contains(w.declared, word) {
			w.declared = append(w.declared, word)
			w.known[word] = true
		}
	}
	return w
}

func legal(value string) bool {
	return value != "" && len(value) <= maxLength && utf8.ValidString(value)
}

// bounded returns the value where the label may have it, else Other.
func (w *words) bounded(value string) string {
	w.mu.RLock()
	known, full := w.known[value], w.free == 0
	w.mu.RUnlock()
	switch {
	case known:
		return value
	case full || !legal(value):
		return Other
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known[value] {
		if w.free == 0 {
			return Other
		}
		w.free--
		w.known[value] = true
	}
	return value
}

// admit adds a word that the program itself chose.
func (w *words) admit(value string) {
	if !legal(value) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[value] = true
}
