// Package amazon is what the mechanisms for Amazon's services share: who asks
// (credentials, roles, regions), through what (one HTTP client with limits), by
// whom it is asked (parts side by side), and what a failure means.
//
// The caveat: it knows no service. What there is to list, and by which calls, a
// Lister says; that a listing is whole is the Lister's business too.
package amazon

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

// Source asks all its parts side by side, within one rate limit. It is a
// target.EarlySource.
type Source struct {
	Parts []*Part
	Web   *Web
	Limit *rate.Limiter // of the questions of all parts together

	name    string
	access  *Access
	timeout time.Duration
	limited *http.Client
	session *session
}

// ownName stands for the region to be found out in the names of parts: they
// must not depend on who answers.
const ownName = "auto"

// NewSource builds a source without parts, for a mechanism of that name. It
// asks nobody; its error is one that no waiting mends.
func NewSource(access Access, env target.Env, mechanism string) (*Source, error) {
	a := &access
	a.SetDirectory(env.Dir)
	if _, err := a.secretKey(); err != nil {
		return nil, target.FieldError{Field: "secret_key_file", Err: err}
	}
	a.trustBundle()
	w, client, err := newWeb(httpconfig.Copy(a.HTTPClientConfig), mechanism)
	if err != nil {
		return nil, err
	}
	limit := rate.NewLimiter(perSecond, burst)
	limitedClient := *client
	limitedClient.Transport = limited{w, limit}
	return &Source{
		Web: w, Limit: limit,
		name:    env.Source,
		access:  a,
		timeout: cmp.Or(env.Timeout, 30*time.Second),
		limited: &limitedClient,
		session: &session{access: a, http: client, log: env.Logger},
	}, nil
}

// Discover asks for all parts side by side.
func (s *Source) Discover(ctx context.Context) target.Listing {
	return s.DiscoverEarly(ctx, func(target.Listing) {})
}

// patience is how long parts that have answered wait for those that have not.
const patience = 2 * time.Second

// DiscoverEarly is Discover, but does not let a region that is slow or silent
// hold up what the others said.
func (s *Source) DiscoverEarly(ctx context.Context, early func(target.Listing)) target.Listing {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer s.Web.during(ctx)()
	answers := make(chan target.Part)
	for _, p := range s.Parts {
		go func() { answers <- p.answer(ctx) }()
	}
	impatient := time.NewTicker(patience)
	defer impatient.Stop()
	l := target.Listing{Source: s.name}
	var news []target.Part
	for len(l.Parts) < len(s.Parts) {
		select {
		case a := <-answers:
			l.Parts = append(l.Parts, a)
			if a.Err == nil {
				news = append(news, a)
			}
		case <-impatient.C:
			if len(news) > 0 {
				early(target.Listing{Source: s.name, Parts: news, At: time.Now(), Early: true})
				news = nil
			}
		}
	}
	s.order(l.Parts)
	l.At = time.Now()
	l.Took = l.At.Sub(began)
	return l
}

// order sorts the parts as they were configured, not as they answered.
func (s *Source) order(parts []target.Part) {
	place := make(map[string]int, len(s.Parts))
	for i, p := range s.Parts {
		place[p.Name] = i
	}
	slices.SortFunc(parts, func(a, b target.Part) int { return cmp.Compare(place[a.Name], place[b.Name]) })
}
