package ec2test

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// key is what somebody signs with.
type key struct {
	secret, token string
	account       string
	arn           string // who it is
	role          string // that was assumed
	expires       time.Time
	revoked       bool
}

// Role may be assumed.
type Role struct {
	ARN        string
	ExternalID string   // must be sent if set
	Trusts     []string // accounts; nil trusts all
	// Life of its sessions; 0 is what was asked for, or an hour.
	Life time.Duration
}

// AddKey adds the access key of a user in an account.
func (s *Server) AddKey(accessKey, secret, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[accessKey] = key{secret: secret, account: account, arn: "arn:aws:iam::" + account + ":user/mcp-sd"}
}

// AddRole adds a role, or replaces it.
func (s *Server) AddRole(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = r
}

// RemoveKey has an access key forgotten.
func (s *Server) RemoveKey(accessKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, accessKey)
}

// Revoke takes a role away: it can't be assumed any more, and its sessions are
// denied everything.
func (s *Server) Revoke(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, arn)
	for id, k := range s.keys {
		if k.role == arn {
			k.revoked = true
			s.keys[id] = k
		}
	}
}

// Expire ends all sessions now, whatever end they were given.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.keys {
		if k.token != "" {
			k.expires = s.now()
			s.keys[id] = k
		}
	}
}

// TrustWebIdentity has a token accepted for any role.
func (s *Server) TrustWebIdentity(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webTokens[token] = true
}

type (
	credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	assumedUser struct {
		Arn           string
		AssumedRoleID string `xml:"AssumedRoleId"`
	}
	assumeRoleResponse struct {
		XMLName     xml.Name    `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
		User        assumedUser `xml:"AssumeRoleResult>AssumedRoleUser"`
		Credentials credentials `xml:"AssumeRoleResult>Credentials"`
		RequestID   string      `xml:"ResponseMetadata>RequestId"`
	}
	webIdentityResponse struct {
		XMLName     xml.Name    `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleWithWebIdentityResponse"`
		User        assumedUser `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser"`
		Credentials credentials `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
		RequestID   string      `xml:"ResponseMetadata>RequestId"`
	}
	callerIdentityResponse struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
		Arn       string   `xml:"GetCallerIdentityResult>Arn"`
		UserID    string   `xml:"GetCallerIdentityResult>UserId"`
		Account   string   `xml:"GetCallerIdentityResult>Account"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}
)

func (s *Server) assumeRole(q *query) *answer {
	r, known := s.roles[q.form.Get("RoleArn")]
	switch {
	case q.form.Get("RoleSessionName") == "":
		return q.fail(http.StatusBadRequest, "ValidationError", "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must not be null")
	case !known, r.ExternalID != "" && r.ExternalID != q.form.Get("ExternalId"), !r.trusts(q.key.account):
		return q.fail(http.StatusForbidden, "AccessDenied", "User: "+q.key.arn+" is not authorized to perform: sts:AssumeRole on resource: "+q.form.Get("RoleArn"))
	}
	user, c := s.session(r, q)
	return render(assumeRoleResponse{User: user, Credentials: c, RequestID: randomID(16)})
}

func (s *Server) assumeRoleWithWebIdentity(q *query) *answer {
	r, known := s.roles[q.form.Get("RoleArn")]
	switch {
	case !s.webTokens[q.form.Get("WebIdentityToken")]:
		return q.fail(http.StatusBadRequest, "InvalidIdentityToken", "The web identity token that was passed could not be validated by AWS.")
	case !known:
		return q.fail(http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	user, c := s.session(r, q)
	return render(webIdentityResponse{User: user, Credentials: c, RequestID: randomID(16)})
}

func (s *Server) callerIdentity(q *query) *answer {
	return render(callerIdentityResponse{Arn: q.key.arn, UserID: "AIDAEXAMPLE", Account: q.key.account, RequestID: randomID(16)})
}

func (r Role) trusts(account string) bool {
	for _, a := range r.Trusts {
		if a == account {
			return true
		}
	}
	return len(r.Trusts) == 0
}

// session makes temporary keys of a role.
func (s *Server) session(r Role, q *query) (assumedUser, credentials) {
	life := r.Life
	if seconds, err := strconv.Atoi(q.form.Get("DurationSeconds")); life == 0 && err == nil {
		life = time.Duration(seconds) * time.Second
	} else if life == 0 {
		life = time.Hour
	}
	name := r.ARN[strings.LastIndex(r.ARN, "/")+1:]
	arn := "arn:aws:sts::" + accountOf(r.ARN) + ":assumed-role/" + name + "/" + q.form.Get("RoleSessionName")
	id, k := s.temporary(accountOf(r.ARN), arn, r.ARN, life)
	return assumedUser{Arn: arn, AssumedRoleID: "AROAEXAMPLE:" + q.form.Get("RoleSessionName")}, credentials{
		AccessKeyID: id, SecretAccessKey: k.secret, SessionToken: k.token, Expiration: k.expires.UTC().Format(time.RFC3339),
	}
}

// temporary adds keys with an end.
func (s *Server) temporary(account, arn, role string, life time.Duration) (string, key) {
	id := "ASIA" + strings.ToUpper(randomID(8))
	k := key{
		secret: randomID(20), token: randomID(40), account: account, arn: arn, role: role,
		expires: s.now().Add(life).Truncate(time.Second),
	}
	s.keys[id] = k
	return id, k
}

// accountOf is the account in an ARN.
func accountOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}
