package ec2test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Versions of the APIs that are spoken.
const (
	ec2Version = "2016-11-15"
	stsVersion = "2011-06-15"
)

// jsonType is the Content-Type that ECS speaks.
const jsonType = "application/x-amz-json-1.1"

// query is one question.
type query struct {
	form    url.Values
	service string // ec2, sts or ecs
	region  string
	host    string
	key     key
	token   *pageToken // of what has pages
	ecs     ecsInput
}

func (q *query) call() Call {
	c := Call{
		Action: q.form.Get("Action"), Account: q.key.account, Region: q.region, Host: q.host,
		Page: 1, MaxResults: q.form.Get("MaxResults"), Filters: map[string][]string{},
	}
	if q.token != nil {
		c.Page = q.token.Page
	}
	for _, f := range q.filters() {
		c.Filters[f.name] = f.values
	}
	return c
}

// answer is an HTTP answer.
type answer struct {
	status int
	body   string
	json   bool
}

func (a *answer) write(w http.ResponseWriter) {
	contentType := "text/xml;charset=UTF-8"
	if a.json {
		contentType = jsonType
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// render makes an answer of a document.
func render(document any) *answer {
	b, err := xml.MarshalIndent(document, "", "    ")
	if err != nil {
		panic(err) // a type of ours that XML does not have
	}
	return &answer{status: http.StatusOK, body: `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + string(b)}
}

// The two shapes of errors.
type (
	ec2Error struct {
		XMLName   xml.Name `xml:"Response"`
		Code      string   `xml:"Errors>Error>Code"`
		Message   string   `xml:"Errors>Error>Message"`
		RequestID string   `xml:"RequestID"`
	}
	stsError struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
)

// fail is an error in the words of the service that was asked.
func (q *query) fail(status int, code, message string) *answer {
	if q.service == "ecs" {
		return q.failJSON(status, code, message)
	}
	var a *answer
	if q.service == "sts" {
		fault := "Sender"
		if status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		a = render(stsError{Type: fault, Code: code, Message: message, RequestID: randomID(16)})
	} else {
		a = render(ec2Error{Code: code, Message: message, RequestID: randomID(16)})
	}
	a.status = status
	return a
}

// regionalHost finds the region in the names of EC2's and STS' endpoints.
var regionalHost = regexp.MustCompile(`^(ec2|sts|ecs)(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com|api\.aws)(:[0-9]+)?$`)

// window is how far the clock of who asks may be off.
const window = 15 * time.Minute

// read understands a question, and who asks.
func (s *Server) read(r *http.Request) (*query, *answer) {
	q := &query{service: "ec2", host: r.Host}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return q, q.fail(http.StatusBadRequest, "MalformedRequest", err.Error())
	}
	if r.Header.Get("Content-Type") == jsonType {
		q.service = "ecs"
		if failed := q.readECS(r, body); failed != nil {
			return q, failed
		}
	} else if q.form, err = url.ParseQuery(string(body)); err != nil || r.Method != http.MethodPost ||
		!strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return q, q.fail(http.StatusBadRequest, "MalformedQueryString", "The query string is malformed.")
	}
	if q.form.Get("Action") == "AssumeRoleWithWebIdentity" { // nothing to sign with yet
		q.service = "sts"
		return q, q.version()
	}
	sig, err := parseSignature(r)
	if err != nil {
		return q, q.fail(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	}
	if (sig.service == "ecs") != (q.service == "ecs") {
		return q, q.unknownKey()
	}
	q.service, q.region = sig.service, sig.region
	q.token = readToken(q.form.Get("NextToken"))
	if failed := q.version(); failed != nil {
		return q, failed
	}
	return q, s.authenticate(q, r, sig, body)
}

func (q *query) version() *answer {
	if q.service == "ecs" {
		return nil // its version is in the name of the action
	}
	want := ec2Version
	if q.service == "sts" {
		want = stsVersion
	}
	if got := q.form.Get("Version"); got != want {
		return q.fail(http.StatusBadRequest, "InvalidParameterValue", "Version "+got+" is not "+want)
	}
	return nil
}

// authenticate finds out who asks, and whether that may be.
func (s *Server) authenticate(q *query, r *http.Request, sig signature, body []byte) *answer {
	s.mu.Lock()
	k, known := s.keys[sig.accessKey]
	s.mu.Unlock()
	q.key = k
	host := regionalHost.FindStringSubmatch(r.Host)
	switch {
	case !known, host != nil && (host[3] != sig.region || host[1] != sig.service), k.token != r.Header.Get("X-Amz-Security-Token"):
		return q.unknownKey()
	case sig.sum(k.secret, r, body) != sig.value:
		if q.service == "sts" {
			return q.fail(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
		}
		return q.unknownKey()
	case sig.at.Sub(s.now()).Abs() > window:
		return q.late()
	case !k.expires.IsZero() && !s.now().Before(k.expires):
		return q.expired("The security token included in the request is expired")
	case k.revoked:
		return q.denied(k)
	}
	return nil
}

// denied is for a key that may not do this, or not any more.
func (q *query) denied(k key) *answer {
	text := "User: " + k.arn + " is not authorized to perform: " + q.service + ":" + q.form.Get("Action") + " with an explicit deny in an identity-based policy."
	if q.service == "ecs" {
		return q.fail(http.StatusBadRequest, "AccessDeniedException", text)
	}
	return q.fail(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. "+text)
}

// late is for a question from a machine whose clock is wrong.
func (q *query) late() *answer {
	if q.service == "ecs" {
		return q.fail(http.StatusBadRequest, "InvalidSignatureException", "Signature expired: it is now earlier than the time of the server.")
	}
	return q.expired("Request has expired.")
}

func (q *query) unknownKey() *answer {
	switch q.service {
	case "ecs":
		return q.fail(http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case "sts":
		return q.fail(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	return q.fail(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
}

func (q *query) expired(message string) *answer {
	switch q.service {
	case "ecs":
		return q.fail(http.StatusBadRequest, "ExpiredTokenException", message)
	case "sts":
		return q.fail(http.StatusForbidden, "ExpiredToken", message)
	}
	return q.fail(http.StatusBadRequest, "RequestExpired", message)
}
