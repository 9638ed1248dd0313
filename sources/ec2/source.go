// Package ec2 lists the instances of Amazon EC2, with Prometheus' own options
// and labels for it, in several regions and accounts at once.
//
// Each account in each region is a part with an outcome of its own: all are
// asked side by side, page by page, within one rate limit. The caveat: EC2 is
// asked, it does not call, so a change is seen with the next refresh; and it is
// eventually consistent, so an instance that was just launched may be absent
// from an answer that is whole. An answer that is not (a page that is lost, a
// body that is cut off, a proxy's own page) fails its part; none ever shortens a
// listing (contract §4).
package ec2

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/time/rate"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

// Source lists instances of EC2.
type Source struct {
	name    string
	opts    *Options
	filters []types.Filter
	timeout time.Duration
	web     *web
	limited *http.Client // for EC2
	session *session
	parts   []*part
}

// ownName stands for the region to be found out in the names of parts: they
// must not depend on who answers.
const ownName = "auto"

// New builds the source. It asks nobody; its error is one that no waiting mends.
func (o *Options) New(env target.Env) (target.Source, error) {
	opts := *o
	opts.SetDirectory(env.Dir)
	if _, err := opts.secretKey(); err != nil {
		return nil, target.FieldError{Field: "secret_key_file", Err: err}
	}
	opts.trustBundle()
	w, client, err := newWeb(httpconfig.Copy(opts.HTTPClientConfig))
	if err != nil {
		return nil, err
	}
	limitedClient := *client
	limitedClient.Transport = limited{w, rate.NewLimiter(perSecond, burst)}
	s := &Source{
		name:    env.Source,
		opts:    &opts,
		filters: opts.filters(),
		timeout: cmp.Or(env.Timeout, 30*time.Second),
		web:     w,
		limited: &limitedClient,
		session: &session{opts: &opts, http: client, log: env.Logger},
	}
	for _, role := range opts.roles() {
		for _, region := range opts.regions() {
			p, err := s.newPart(role, region, env.Logger)
			if err != nil {
				return nil, err
			}
			s.parts = append(s.parts, p)
		}
	}
	return s, nil
}

// newPart names the part by what was configured: "REGION", and with a role
// "ACCOUNT:ROLE/REGION".
func (s *Source) newPart(role, region string, log *slog.Logger) (*part, error) {
	p := &part{name: cmp.Or(region, ownName), role: role, region: region, source: s, log: log}
	if role != "" {
		name, err := roleName(role)
		if err != nil {
			return nil, target.FieldError{Field: "role_arn", Err: err}
		}
		p.name = name + "/" + p.name
	}
	return p, nil
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
	defer s.web.during(ctx)()
	answers := make(chan target.Part)
	for _, p := range s.parts {
		go func() { answers <- p.answer(ctx) }()
	}
	impatient := time.NewTicker(patience)
	defer impatient.Stop()
	l := target.Listing{Source: s.name}
	var news []target.Part
	for len(l.Parts) < len(s.parts) {
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
	place := make(map[string]int, len(s.parts))
	for i, p := range s.parts {
		place[p.name] = i
	}
	slices.SortFunc(parts, func(a, b target.Part) int { return cmp.Compare(place[a.Name], place[b.Name]) })
}
