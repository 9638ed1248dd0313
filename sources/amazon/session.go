package amazon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// session is what the machine and the options say about who asks. All parts
// share it. It is read when it is needed, and anew after AWS refused it: keys
// are rotated, in files and elsewhere, under a program that runs for months.
type session struct {
	access *Access
	http   *http.Client
	log    *slog.Logger

	mu   sync.Mutex
	read *aws.Config // nil: not yet
	age  int         // how often it was forgotten
}

// config returns what was read, and its age for forget.
func (s *session) config(ctx context.Context) (aws.Config, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read == nil {
		cfg, err := s.load(ctx)
		if err != nil {
			return aws.Config{}, s.age, err
		}
		s.read = &cfg
	}
	return *s.read, s.age, nil
}

// forget has the configuration read anew, unless that happened since it had
// the age given: several parts notice at the same time that a key has expired.
func (s *session) forget(age int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.age == age {
		s.read = nil
		s.age++
	}
}

// Retrieve returns the keys of who asks, as an aws.CredentialsProvider does.
func (s *session) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cfg, _, err := s.config(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	c, err := cfg.Credentials.Retrieve(ctx)
	if err == nil {
		return c, nil
	}
	f := Explain(err, "getting credentials")
	if ctx.Err() == nil && f.Code == "" {
		f.Class, f.Hint = NoCredentials, "give the instance a role, or set access_key and secret_key, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
	}
	return c, f
}

// load reads the environment and the shared configuration. It asks nobody.
func (s *session) load(ctx context.Context) (aws.Config, error) {
	metadata := &late{}
	with := append(s.chain(metadata),
		config.WithAppID("mcp-sd"),
		config.WithLogger(quiet(s.log)),
		config.WithDefaultRegion(s.access.AllRegions()[0]), // for the chain alone: it may have to ask STS
	)
	if s.access.Profile != "" {
		with = append(with, config.WithSharedConfigProfile(s.access.Profile))
	}
	if s.access.AccessKey != "" {
		secret, err := s.access.secretKey()
		if err != nil {
			return aws.Config{}, &Failure{Class: Misconfigured, Hint: "write the secret key into the file", Err: err}
		}
		with = append(with, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.access.AccessKey, secret, "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return aws.Config{}, &Failure{Class: Misconfigured, Hint: "see the environment (AWS_*), ~/.aws/config and ~/.aws/credentials of the user that mcp-sd runs as", Err: err}
	}
	cfg.HTTPClient = s.http
	metadata.Client = imds.NewFromConfig(cfg)
	return cfg, nil
}

// chain has the credential chain use our HTTP client. The SDK would take it at
// once for everything, but not where AWS_CA_BUNDLE is set.
func (s *session) chain(metadata *late) []func(*config.LoadOptions) error {
	ours := func(client any) *sts.Client {
		c, ok := client.(*sts.Client)
		if !ok {
			return nil
		}
		o := c.Options()
		o.HTTPClient = s.http
		return sts.New(o)
	}
	return []func(*config.LoadOptions) error{
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = metadata }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = s.http }),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			if c := ours(o.Client); c != nil {
				o.Client = c
			}
		}),
		config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) {
			if c := ours(o.Client); c != nil {
				o.Client = c
			}
		}),
	}
}

// late is the metadata service's client, which needs the configuration that it
// is part of.
type late struct{ *imds.Client }

// ownRegion is the region where none was configured: that of the environment
// or the profile, else that of the instance which mcp-sd runs on.
func ownRegion(ctx context.Context, cfg aws.Config) (string, error) {
	if cfg.Region != "" {
		return cfg.Region, nil
	}
	out, err := imds.NewFromConfig(cfg).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return "", &Failure{Class: NoRegion, Hint: "set region, or AWS_REGION; on an instance, allow its metadata service", Err: err}
	}
	return out.Region, nil
}

// quiet has the SDK log where nobody looks but those who search for an error.
func quiet(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
		log.Debug("the AWS SDK says", "msg", fmt.Sprintf(format, args...))
	})
}

// explained fetches credentials, and says what for when it can't.
type explained struct {
	aws.CredentialsProvider
	doing string
}

// Retrieve is that of aws.CredentialsProvider.
func (e explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := e.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, Explain(err, e.doing)
	}
	return c, nil
}
