package mcpregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Why a registry could not be listed, in one word for a metric.
const (
	Unauthorized = "unauthorized" // status 401 or 403
	Throttled    = "throttled"    // status 429
	Refused      = "refused"      // another status of 400 to 499: it does not understand the question
	Redirected   = "redirect"     // to another place than the configured one
	BadAnswer    = "bad_answer"   // no list of servers, half of one, or pages that do not fit together
	TooLarge     = "too_large"    // more than anybody would list
	Unavailable  = "unavailable"  // the network, or a status from 500 on
	TimedOut     = "timeout"      // more than source_timeout
	Canceled     = "canceled"     // mcp-sd itself has ended the question
)

// Failure is why a registry could not be listed, and what to do about it. It
// never holds what the registry said: that may quote a credential (contract §3).
type Failure struct {
	Class string
	Hint  string // what to do; may be empty
	Err   error
}

func (f *Failure) Error() string {
	if f.Hint == "" {
		return f.Err.Error()
	}
	return f.Err.Error() + " (" + f.Hint + ")"
}

// Unwrap returns what went wrong.
func (f *Failure) Unwrap() error { return f.Err }

// Reason is the class, for a metric that knows no mechanism.
func (f *Failure) Reason() string { return f.Class }

func classOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return ""
}

func badAnswer(format string, args ...any) error {
	return &Failure{
		Class: BadAnswer, Err: fmt.Errorf(format, args...),
		Hint: "check that server is an MCP registry with the API v0.1, and what stands between here and it",
	}
}

func tooLarge(format string, args ...any) error {
	return &Failure{Class: TooLarge, Err: fmt.Errorf(format, args...), Hint: "narrow it down with search"}
}

// refusal is for an answer with a status other than 200.
func refusal(code int) error {
	f := &Failure{Class: Unavailable, Err: fmt.Errorf("status %d %s", code, http.StatusText(code))}
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		f.Class, f.Hint = Unauthorized, "check authorization, basic_auth or oauth2: the registry must let them read"
	case code == http.StatusTooManyRequests:
		f.Class, f.Hint = Throttled, "raise refresh_interval, or narrow it down with search"
	case code == http.StatusNotFound:
		f.Class, f.Hint = Refused, "check server: the registry must have the API v0.1 below it"
	case code >= 500:
		f.Hint = "it is asked again soon"
	case code >= 400:
		f.Class, f.Hint = Refused, "check search, and that the registry has the API v0.1"
	default:
		f.Class, f.Hint = Redirected, "write into server where the registry really is"
	}
	return f
}

// unanswered is for a question that got no whole answer.
func unanswered(ctx context.Context, err error) error {
	var known *Failure
	if errors.As(err, &known) {
		return known // a redirect, told by our own rule
	}
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // whom was asked for what is said elsewhere
	}
	f := &Failure{Class: Unavailable, Err: withoutAnswer(err), Hint: "check the network, server and proxy_url"}
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.Class, f.Hint = TimedOut, "see why it is slow, or raise source_timeout"
	case errors.Is(err, context.Canceled):
		f.Class, f.Hint = Canceled, ""
	case errors.As(err, &dns):
		f.Hint = "check the name in server, and this machine's resolver"
	}
	return f
}

// withoutAnswer cuts off what a token endpoint answered: it may quote the
// client's secret.
func withoutAnswer(err error) error {
	if text, _, found := strings.Cut(err.Error(), "\nResponse: "); found {
		return errors.New(text)
	}
	return err
}
