package ec2

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// part is one account in one region. It belongs to one goroutine at a time.
type part struct {
	name   string
	role   string // to be assumed; "" is none
	region string // as configured; "" until it was found out
	source *Source
	log    *slog.Logger

	// The calls of the client, not the client: a value of that type that
	// reflection could reach keeps its 800 methods in the binary, 30 MB.
	describeInstances func(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	describeZones     func(context.Context, *ec2.DescribeAvailabilityZonesInput, ...func(*ec2.Options)) (*ec2.DescribeAvailabilityZonesOutput, error)

	age     int                   // of the session that was asked with
	assumed *aws.CredentialsCache // of role; nil without one
	retries *retries
	zones   zones
	told    *listing // what the latest listing said; nil: a failure
}

// listing is what a part lists.
type listing struct {
	raws     []target.Raw
	rejected []target.Rejection
}

// answer asks for everything, and says what came of it.
func (p *part) answer(ctx context.Context) target.Part {
	l, err := p.list(ctx)
	if err != nil {
		p.told = nil
		return target.Part{Name: p.name, Err: err}
	}
	if p.told != nil && p.told.equal(l) {
		return target.Part{Name: p.name, Unchanged: true}
	}
	p.told = l
	return target.Part{Name: p.name, Raw: l.raws, Rejected: l.rejected}
}

func (l *listing) equal(o *listing) bool {
	return slices.Equal(l.rejected, o.rejected) && slices.EqualFunc(l.raws, o.raws, func(a, b target.Raw) bool {
		return a.Identity == b.Identity && labels.Equal(a.Labels, b.Labels)
	})
}

// list asks, and once more where the credentials had expired.
func (p *part) list(ctx context.Context) (*listing, error) {
	l, err := p.try(ctx)
	class := classOf(err)
	if class == ExpiredToken || class == RequestExpired {
		p.renew(class)
		l, err = p.try(ctx)
		class = classOf(err)
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

func (p *part) try(ctx context.Context) (*listing, error) {
	if err := p.connect(ctx); err != nil {
		return nil, explain(err, "preparing to ask "+p.name)
	}
	p.retries.last = nil
	l, err := p.pages(ctx)
	if err == nil {
		return l, nil
	}
	doing := fmt.Sprintf("listing the instances of %s", p.region)
	if p.role != "" {
		doing += " as " + p.role
	}
	if before := p.retries.last; before != nil && ctx.Err() != nil {
		f := explain(before, doing)
		f.Text, f.Err = "gave up when time was over: "+f.Text, ctx.Err()
		return nil, f
	}
	return nil, explain(err, doing)
}

// renew has the credentials fetched anew, from wherever they come. The client
// stays, because it has learned from AWS how wrong this machine's clock is; but
// it would never believe that the same access key has another secret now.
func (p *part) renew(class Class) {
	p.source.session.forget(p.age)
	if p.assumed != nil {
		p.assumed.Invalidate()
	}
	if class == AuthFailure {
		p.describeInstances = nil
	}
}

// connect prepares a client. Only where the region has to be found out, and is
// not in the environment, does it ask anybody.
func (p *part) connect(ctx context.Context) error {
	cfg, age, err := p.source.session.config(ctx)
	p.age = age
	if err != nil || p.describeInstances != nil {
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
	client := ec2.NewFromConfig(cfg, func(o *ec2.Options) {
		o.HTTPClient = p.source.limited
		o.Retryer = p.retries
		if e := endpointIn(p.source.opts.Endpoint, p.region); e != "" {
			o.BaseEndpoint = &e
		}
	})
	p.describeInstances, p.describeZones = client.DescribeInstances, client.DescribeAvailabilityZones
	return nil
}

// assume is what fetches the role's credentials, from STS in the same region:
// that of another region may be down.
func (p *part) assume(cfg aws.Config) *aws.CredentialsCache {
	o := p.source.opts
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p.role, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName = o.RoleSessionName
		if o.ExternalID != "" {
			a.ExternalID = &o.ExternalID
		}
	})
	return aws.NewCredentialsCache(provider, func(c *aws.CredentialsCacheOptions) { c.ExpiryWindow = time.Minute })
}
