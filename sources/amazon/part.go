package amazon

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// Lister asks for what a part lists. It belongs to one goroutine at a time.
type Lister interface {
	// Connect makes the clients anew. What the configuration holds is all that
	// they need: credentials, region, retries, the HTTP client. The endpoint is
	// that of the mechanism's API, "" where the SDK knows it.
	Connect(cfg aws.Config, endpoint string)
	// List asks for everything, and fails where it does not get everything.
	List(ctx context.Context) (*Listing, error)
}

// Listing is what a part lists.
type Listing struct {
	Raw      []target.Raw
	Rejected []target.Rejection
}

// Part is one account in one region, or less. It belongs to one goroutine at a
// time.
type Part struct {
	Name string

	what   string // is listed, for people
	role   string // to be assumed; "" is none
	region string // as configured; "" until it was found out
	source *Source
	lister Lister

	connected bool
	age       int                   // of the session that was asked with
	assumed   *aws.CredentialsCache // of role; nil without one
	retries   *retries
	told      *Listing // what the latest listing said; nil: a failure
}

// Add gives the source a part, which lists what is said, for people: "the
// instances". It is named by what was configured: "REGION", and with a role
// "ACCOUNT:ROLE/REGION".
func (s *Source) Add(role, region, what string, l Lister) error {
	p := &Part{Name: cmp.Or(region, ownName), what: what, role: role, region: region, source: s, lister: l}
	if role != "" {
		name, err := roleName(role)
		if err != nil {
			return target.FieldError{Field: "role_arn", Err: err}
		}
		p.Name = name + "/" + p.Name
	}
	s.Parts = append(s.Parts, p)
	return nil
}

// answer asks for everything, and says what came of it.
func (p *Part) answer(ctx context.Context) target.Part {
	l, err := p.list(ctx)
	if err != nil {
		p.told = nil
		return target.Part{Name: p.Name, Err: err}
	}
	if p.told != nil && p.told.equal(l) {
		return target.Part{Name: p.Name, Unchanged: true}
	}
	p.told = l
	return target.Part{Name: p.Name, Raw: l.Raw, Rejected: l.Rejected}
}

func (l *Listing) equal(o *Listing) bool {
	return slices.Equal(l.Rejected, o.Rejected) && slices.EqualFunc(l.Raw, o.Raw, func(a, b target.Raw) bool {
		return a.Identity == b.Identity && labels.Equal(a.Labels, b.Labels)
	})
}

// list asks, and once more where the credentials had expired.
func (p *Part) list(ctx context.Context) (*Listing, error) {
	l, err := p.try(ctx)
	class := ClassOf(err)
	if class == ExpiredToken || class == RequestExpired {
		p.renew(class)
		l, err = p.try(ctx)
		class = ClassOf(err)
	}
	switch class {
	case ExpiredToken, RequestExpired, AuthFailure, Unauthorized, NoCredentials, Misconfigured:
		p.renew(class) // somebody may mend them before the next time
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (p *Part) try(ctx context.Context) (*Listing, error) {
	if err := p.connect(ctx); err != nil {
		return nil, Explain(err, "preparing to ask "+p.Name)
	}
	p.retries.remember(nil)
	l, err := p.lister.List(ctx)
	if err == nil {
		return l, nil
	}
	doing := "listing " + p.what + " of " + p.region
	if p.role != "" {
		doing += " as " + p.role
	}
	if before := p.retries.before(); before != nil && ctx.Err() != nil {
		f := Explain(before, doing)
		f.Text, f.Err = "gave up when time was over: "+f.Text, ctx.Err()
		return nil, f
	}
	return nil, Explain(err, doing)
}

// renew has the credentials fetched anew, from wherever they come. The clients
// stay, because they have learned from AWS how wrong this machine's clock is; but
// they would never believe that the same access key has another secret now.
func (p *Part) renew(class Class) {
	p.source.session.forget(p.age)
	if p.assumed != nil {
		p.assumed.Invalidate()
	}
	if class == AuthFailure {
		p.connected = false
	}
}

// connect prepares the clients. Only where the region has to be found out, and
// is not in the environment, does it ask anybody.
func (p *Part) connect(ctx context.Context) error {
	cfg, age, err := p.source.session.config(ctx)
	p.age = age
	if err != nil || p.connected {
		return err
	}
	if p.region == "" {
		if p.region, err = ownRegion(ctx, cfg); err != nil {
			return err
		}
	}
	cfg = cfg.Copy()
	cfg.Region = p.region
	cfg.Credentials = p.source.session
	if p.role != "" {
		p.assumed = p.assume(cfg)
		cfg.Credentials = explained{p.assumed, "assuming " + p.role}
	}
	p.retries = newRetries()
	cfg.HTTPClient = p.source.limited
	cfg.Retryer = func() aws.Retryer { return p.retries }
	p.lister.Connect(cfg, endpointIn(p.source.access.Endpoint, p.region))
	p.connected = true
	return nil
}

// assume is what fetches the role's credentials, from STS in the same region:
// that of another region may be down.
func (p *Part) assume(cfg aws.Config) *aws.CredentialsCache {
	a := p.source.access
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p.role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = a.RoleSessionName
		if a.ExternalID != "" {
			o.ExternalID = &a.ExternalID
		}
	})
	return aws.NewCredentialsCache(provider, func(c *aws.CredentialsCacheOptions) { c.ExpiryWindow = time.Minute })
}
