package amazon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// Class says why a part could not be listed, in one word for a metric.
type Class string

// Why a part fails. What AWS tells apart stays apart: each is mended by
// somebody else.
const (
	Throttled      Class = "throttled"        // RequestLimitExceeded: too many questions, of anybody in the account
	RequestExpired Class = "request_expired"  // RequestExpired: the clock, or old credentials
	ExpiredToken   Class = "expired_token"    // ExpiredToken: old credentials
	AuthFailure    Class = "auth_failure"     // AuthFailure: wrong credentials, or a region that is not enabled
	Unauthorized   Class = "unauthorized"     // UnauthorizedOperation: right credentials, no permission
	NoCredentials  Class = "no_credentials"   // none were found
	NoRegion       Class = "no_region"        // none was configured or found
	Refused        Class = "refused"          // AWS does not understand the question
	Incomplete     Class = "incomplete"       // part of the answer is missing
	Unavailable    Class = "unavailable"      // the network, or AWS
	TimedOut       Class = "timeout"          // no answer in time
	Canceled       Class = "canceled"         // mcp-sd itself has ended the question
	Misconfigured  Class = "misconfiguration" // of the machine
)

// Failure is why a part could not be listed, and what to do about it.
type Failure struct {
	Class Class
	Code  string // AWS' own word; empty where AWS said nothing
	Text  string // in place of Err's
	Hint  string // what to do
	Err   error
}

func (f *Failure) Error() string {
	text := f.Text
	if text == "" {
		text = f.Err.Error()
	}
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	return text
}

// Unwrap returns what the SDK said.
func (f *Failure) Unwrap() error { return f.Err }

// Reason is the class, for a metric that knows no mechanism.
func (f *Failure) Reason() string { return string(f.Class) }

// ClassOf returns the class of an error that Explain has seen.
func ClassOf(err error) Class {
	var f *Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return ""
}

// Explain makes a Failure of whatever the SDK returns. It leaves out of the
// text what nobody can act on.
func Explain(err error, doing string) *Failure {
	var known *Failure
	if errors.As(err, &known) {
		return &Failure{Class: known.Class, Code: known.Code, Text: doing + ": " + known.Error(), Err: err}
	}
	f := &Failure{Err: err}
	var api smithy.APIError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		f.Class, f.Text = TimedOut, "no answer in time"
		f.Hint = "see why it is slow, or raise source_timeout"
	case errors.Is(err, context.Canceled):
		f.Class, f.Text = Canceled, "ended before an answer"
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError": // the SDK's word for an answer that is no error of AWS
		f.Code, f.Text = api.ErrorCode(), api.ErrorCode()
		if msg := api.ErrorMessage(); msg != f.Code {
			f.Text += ": " + short(msg)
		}
		f.Class, f.Hint = said(api.ErrorCode(), callOf(err), Status(err))
	default:
		f.describe(err)
	}
	f.Text = doing + ": " + f.Text
	return f
}

// said classifies what AWS says, and knows what to do about it.
func said(code string, in call, status int) (Class, string) {
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return Throttled, "AWS limits calls for each account and region, whoever makes them: raise refresh_interval, ask for less (filters, clusters), or see in CloudTrail who else calls"
	}
	switch code {
	case "RequestExpired", "RequestTimeTooSkewed":
		return RequestExpired, "check the clock of this machine; if it is right, the temporary credentials have expired and no newer ones were found"
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return ExpiredToken, "the temporary credentials have expired and no newer ones were found: renew them where they come from (profile, environment, web identity token)"
	case "AuthFailure":
		return AuthFailure, "check access_key and secret_key, or the credentials of the machine, and that the account has the region enabled"
	case "OptInRequired":
		return AuthFailure, "enable the region for the account, or take it out of regions"
	case "InvalidClientTokenId", "UnrecognizedClientException", "MissingAuthenticationToken", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature":
		return AuthFailure, "check access_key and secret_key, or the credentials of the machine, and its clock"
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		return Unauthorized, in.permission()
	case "InvalidNextToken", "InvalidPaginationToken":
		return Incomplete, "the pages do not belong together: it is asked from the start again"
	}
	if status >= http.StatusInternalServerError && status != http.StatusNotImplemented || code == "InternalError" || code == "Unavailable" || code == "ServiceUnavailable" {
		return Unavailable, "a failure of AWS: it is asked again soon, see health.aws.amazon.com"
	}
	switch in.service {
	case "EC2":
		return Refused, "check filters and endpoint"
	case "ECS":
		return Refused, "check clusters and endpoint"
	}
	return Refused, "check the role and who may assume it"
}

// permission names what IAM has to allow.
func (c call) permission() string {
	switch c.operation {
	case "AssumeRole":
		return "allow sts:AssumeRole on the role to whom mcp-sd runs as, and allow that one, with the external_id, in the role's trust policy"
	case "AssumeRoleWithWebIdentity":
		return "allow sts:AssumeRoleWithWebIdentity to the token's issuer and subject in the role's trust policy"
	case "":
		return "allow it in IAM"
	}
	return "allow " + strings.ToLower(c.service) + ":" + c.operation + ` on "*" in an IAM policy of the user or role, and see that no organisation's policy denies it`
}

// describe is for errors in which AWS says nothing.
func (f *Failure) describe(err error) {
	var decoding *smithy.DeserializationError
	var dns *net.DNSError
	f.Text = short(innermost(err).Error())
	switch {
	case errors.As(err, &decoding) && Status(err) < http.StatusBadRequest:
		f.Class, f.Text = Incomplete, "the answer is damaged or was cut off: "+f.Text
		f.Hint = "it is asked again soon; if it stays, see what stands between here and AWS"
	case errors.As(err, &dns):
		f.Class, f.Hint = Unavailable, "check the name of the region, endpoint, and this machine's resolver"
	case Status(err) >= http.StatusBadRequest:
		f.Class, f.Text = Unavailable, fmt.Sprintf("status %d, and not in AWS' words: %s", Status(err), f.Text)
		f.Hint = "check endpoint and proxy_url: something other than AWS has answered"
	default:
		f.Class, f.Hint = Unavailable, "check the network, endpoint and proxy_url"
	}
}

// call is an operation of one of AWS' services.
type call struct{ service, operation string }

// callOf is the innermost call that failed: credentials are fetched by calls
// inside calls.
func callOf(err error) (c call) {
	for err != nil {
		var op *smithy.OperationError
		if !errors.As(err, &op) {
			break
		}
		c, err = call{op.ServiceID, op.OperationName}, op.Err
	}
	return c
}

// Status of the answer, 0 if there was none.
func Status(err error) int {
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// innermost is the error that the SDK wrapped, some of them five times.
func innermost(err error) error {
	for {
		var net *net.OpError
		if errors.As(err, &net) {
			return net
		}
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// short is for people: EC2 adds a kilobyte of encoded detail to some messages.
func short(msg string) string {
	const most = 300
	msg = strings.Join(strings.Fields(msg), " ")
	if i := strings.Index(msg, " Encoded authorization failure message"); i > 0 {
		msg = msg[:i]
	}
	if len(msg) > most {
		msg = strings.ToValidUTF8(msg[:most], "") + "…"
	}
	return msg
}

// Partial is an answer that AWS never gives in whole.
func Partial(what string) *Failure {
	return &Failure{Class: Incomplete, Err: errors.New(what), Hint: "it is asked again soon; if it stays, see what stands between here and AWS"}
}
