package ec2

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/mcp-sd/mcp-sd/sources/httpconfig"
	"github.com/mcp-sd/mcp-sd/target"
)

// fieldErrors gathers what is wrong.
type fieldErrors []target.FieldError

func (e *fieldErrors) add(field, format string, args ...any) {
	*e = append(*e, target.FieldError{Field: field, Err: fmt.Errorf(format, args...)})
}

// Validate says everything that is wrong with the options. It looks at no file.
func (o *Options) Validate() []target.FieldError {
	var e fieldErrors
	o.validateRegions(&e)
	o.validateRoles(&e)
	o.validateKeys(&e)
	o.validateTargets(&e)
	for i, f := range o.Filters {
		f.validate(&e, fmt.Sprintf("filters[%d]", i))
	}
	if err := checkEndpoint(o.Endpoint); err != nil {
		e.add("endpoint", "%w", err)
	}
	if err := httpconfig.Copy(o.HTTPClientConfig).Validate(); err != nil {
		e.add(httpconfig.Field(&o.HTTPClientConfig), "%w", err)
	}
	return e
}

func (o *Options) validateRegions(e *fieldErrors) {
	if len(o.Regions) > 0 && o.Region != "" {
		e.add("regions", "region is set as well: put it into regions, and take region out")
	}
	if o.Region != "" {
		if err := checkRegion(o.Region); err != nil {
			e.add("region", "%w", err)
		}
	}
	for i, r := range o.Regions {
		field := fmt.Sprintf("regions[%d]", i)
		if err := checkRegion(r); err != nil {
			e.add(field, "%w", err)
		}
		if slices.Index(o.Regions, r) < i {
			e.add(field, "%q is there twice", r)
		}
	}
}

var (
	regionName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	zoneName   = regexp.MustCompile(`^([a-z]+(-[a-z]+)+-[0-9]+)[a-z]$`)
)

// checkRegion takes what can be part of a host name; AWS adds regions every year.
func checkRegion(r string) error {
	switch {
	case r == "":
		return errors.New("is empty: write the name of a region such as us-east-1")
	case zoneName.MatchString(r):
		return fmt.Errorf("%q is an availability zone: write its region, %s", r, zoneName.FindStringSubmatch(r)[1])
	case !regionName.MatchString(r) || len(r) > 63:
		return fmt.Errorf("%q is no region: write a name such as us-east-1", r)
	}
	return nil
}

func (o *Options) validateRoles(e *fieldErrors) {
	if len(o.RoleARNs) > 0 && o.RoleARN != "" {
		e.add("role_arns", "role_arn is set as well: put it into role_arns, and take role_arn out")
	}
	if o.RoleARN != "" {
		if _, err := roleName(o.RoleARN); err != nil {
			e.add("role_arn", "%w", err)
		}
	}
	names := map[string]bool{}
	for i, role := range o.RoleARNs {
		field := fmt.Sprintf("role_arns[%d]", i)
		name, err := roleName(role)
		switch {
		case err != nil:
			e.add(field, "%w", err)
		case names[name]:
			e.add(field, "%s is there twice", name)
		}
		names[name] = true
	}
	if o.ExternalID != "" && o.RoleARN == "" && len(o.RoleARNs) == 0 {
		e.add("external_id", "there is no role to send it with: set role_arn or role_arns, or take it out")
	}
	if o.RoleSessionName != "" && !sessionName.MatchString(o.RoleSessionName) {
		e.add("role_session_name", "%q is no session name: write 2 to 64 letters, digits and _+=,.@-", o.RoleSessionName)
	}
}

// roleName names a role as parts do: "ACCOUNT:ROLE". Names of roles are unique
// within an account, whatever their path.
func roleName(role string) (string, error) {
	a, err := arn.Parse(role)
	path, isRole := strings.CutPrefix(a.Resource, "role/")
	name := path[strings.LastIndex(path, "/")+1:]
	if err != nil || a.Service != "iam" || !isRole || name == "" || !accountID.MatchString(a.AccountID) {
		return "", fmt.Errorf("%q is no ARN of a role: write it as arn:aws:iam::123456789012:role/NAME", role)
	}
	return a.AccountID + ":" + name, nil
}

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

func (o *Options) validateKeys(e *fieldErrors) {
	secret := o.SecretKey != "" || o.SecretKeyFile != ""
	switch {
	case o.SecretKey != "" && o.SecretKeyFile != "":
		e.add("secret_key_file", "secret_key is set as well: keep one of them")
	case o.AccessKey != "" && !secret:
		e.add("access_key", "has no secret_key: add that or secret_key_file, or take access_key out to use the credentials of the machine")
	case o.AccessKey == "" && secret:
		e.add("secret_key", "has no access_key: add that, or take secret_key out to use the credentials of the machine")
	}
}

func (o *Options) validateTargets(e *fieldErrors) {
	if o.Port < 1 || o.Port > 65535 {
		e.add("port", "%d is no port: write a number from 1 to 65535", o.Port)
	}
	choices := []string{privateIP, publicIP, privateDNS, publicDNS, ipv6}
	if o.Address != "" && !slices.Contains(choices, o.Address) {
		e.add("address", "%q is unknown: write one of %s", o.Address, strings.Join(choices, ", "))
	}
}

func (f Filter) validate(e *fieldErrors, field string) {
	if f.Name == "" {
		e.add(field+".name", `is empty: write one of EC2's filters such as "tag:mcp" or vpc-id`)
	}
	if len(f.Values) == 0 {
		e.add(field+".values", "is empty: write at least one value, * matches all")
	}
}

// checkEndpoint takes a URL, or a host alone as Prometheus once did.
func checkEndpoint(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(endpointIn(s, "us-east-1"))
	switch {
	case err == nil && u.User != nil:
		return errors.New("credentials in an address would show in logs: use basic_auth")
	case err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q is no address: write a URL such as https://ec2.us-east-1.amazonaws.com", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("scheme %q is unknown: write http or https", u.Scheme)
	}
	return nil
}

// endpointIn is the endpoint of a region; "" leaves it to the SDK.
func endpointIn(endpoint, region string) string {
	endpoint = strings.ReplaceAll(endpoint, "{region}", region)
	if endpoint != "" && !strings.Contains(endpoint, "://") {
		return "https://" + endpoint
	}
	return endpoint
}
