package amazon

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

// FieldErrors gathers what is wrong.
type FieldErrors []target.FieldError

// Add adds one thing that is wrong with a field.
func (e *FieldErrors) Add(field, format string, args ...any) {
	*e = append(*e, target.FieldError{Field: field, Err: fmt.Errorf(format, args...)})
}

// Validate adds everything that is wrong with the keys of access. It looks at
// no file.
func (a *Access) Validate(e *FieldErrors) {
	a.validateRegions(e)
	a.validateRoles(e)
	a.validateKeys(e)
	if err := checkEndpoint(a.Endpoint); err != nil {
		e.Add("endpoint", "%w", err)
	}
	if err := httpconfig.Copy(a.HTTPClientConfig).Validate(); err != nil {
		e.Add(httpconfig.Field(&a.HTTPClientConfig), "%w", err)
	}
}

func (a *Access) validateRegions(e *FieldErrors) {
	if len(a.Regions) > 0 && a.Region != "" {
		e.Add("regions", "region is set as well: put it into regions, and take region out")
	}
	if a.Region != "" {
		if err := checkRegion(a.Region); err != nil {
			e.Add("region", "%w", err)
		}
	}
	for i, r := range a.Regions {
		field := fmt.Sprintf("regions[%d]", i)
		if err := checkRegion(r); err != nil {
			e.Add(field, "%w", err)
		}
		if slices.Index(a.Regions, r) < i {
			e.Add(field, "%q is there twice", r)
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

func (a *Access) validateRoles(e *FieldErrors) {
	if len(a.RoleARNs) > 0 && a.RoleARN != "" {
		e.Add("role_arns", "role_arn is set as well: put it into role_arns, and take role_arn out")
	}
	if a.RoleARN != "" {
		if _, err := roleName(a.RoleARN); err != nil {
			e.Add("role_arn", "%w", err)
		}
	}
	names := map[string]bool{}
	for i, role := range a.RoleARNs {
		field := fmt.Sprintf("role_arns[%d]", i)
		name, err := roleName(role)
		switch {
		case err != nil:
			e.Add(field, "%w", err)
		case names[name]:
			e.Add(field, "%s is there twice", name)
		}
		names[name] = true
	}
	if a.ExternalID != "" && a.RoleARN == "" && len(a.RoleARNs) == 0 {
		e.Add("external_id", "there is no role to send it with: set role_arn or role_arns, or take it out")
	}
	if a.RoleSessionName != "" && !sessionName.MatchString(a.RoleSessionName) {
		e.Add("role_session_name", "%q is no session name: write 2 to 64 letters, digits and _+=,.@-", a.RoleSessionName)
	}
}

// roleName names a role as parts do: "ACCOUNT:ROLE". Names of roles are unique
// within an account, whatever their path.
func roleName(role string) (string, error) {
	parsed, err := arn.Parse(role)
	path, isRole := strings.CutPrefix(parsed.Resource, "role/")
	name := path[strings.LastIndex(path, "/")+1:]
	if err != nil || parsed.Service != "iam" || !isRole || name == "" || !accountID.MatchString(parsed.AccountID) {
		return "", fmt.Errorf("%q is no ARN of a role: write it as arn:aws:iam::123456789012:role/NAME", role)
	}
	return parsed.AccountID + ":" + name, nil
}

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

func (a *Access) validateKeys(e *FieldErrors) {
	secret := a.SecretKey != "" || a.SecretKeyFile != ""
	switch {
	case a.SecretKey != "" && a.SecretKeyFile != "":
		e.Add("secret_key_file", "secret_key is set as well: keep one of them")
	case a.AccessKey != "" && !secret:
		e.Add("access_key", "has no secret_key: add that or secret_key_file, or take access_key out to use the credentials of the machine")
	case a.AccessKey == "" && secret:
		e.Add("secret_key", "has no access_key: add that, or take secret_key out to use the credentials of the machine")
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
