package ec2test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signature is the Authorization header of Signature Version 4, as "Create a
// signed AWS API request" in the IAM user guide has it.
type signature struct {
	accessKey, date, region, service string
	headers                          []string // that are signed
	value                            string
	at                               time.Time
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeLayout = "20060102T150405Z"
)

var errSignature = errors.New("the Authorization header is no signature of version 4")

func parseSignature(r *http.Request) (signature, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), algorithm+" ")
	if !ok {
		return signature{}, errSignature
	}
	fields := map[string]string{}
	for f := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(f), "=")
		fields[k] = v
	}
	scope := strings.Split(fields["Credential"], "/")
	at, err := time.Parse(timeLayout, r.Header.Get("X-Amz-Date"))
	if len(scope) != 5 || scope[4] != terminator || err != nil || at.Format("20060102") != scope[1] {
		return signature{}, errSignature
	}
	return signature{
		accessKey: scope[0], date: scope[1], region: scope[2], service: scope[3],
		headers: strings.Split(fields["SignedHeaders"], ";"), value: fields["Signature"], at: at,
	}, nil
}

// sum is the signature that the request should have.
func (s signature) sum(secret string, r *http.Request, body []byte) string {
	if !slices.Contains(s.headers, "host") || !slices.Contains(s.headers, "x-amz-date") {
		return ""
	}
	request := sha256.Sum256([]byte(s.canonical(r, body)))
	toSign := strings.Join([]string{
		algorithm, s.at.Format(timeLayout),
		strings.Join([]string{s.date, s.region, s.service, terminator}, "/"),
		hex.EncodeToString(request[:]),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, terminator} {
		key = sign(key, part)
	}
	return hex.EncodeToString(sign(key, toSign))
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonical is the request in the one form that both sides sign.
func (s signature) canonical(r *http.Request, body []byte) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, h := range s.headers {
		v := strings.Join(r.Header.Values(h), ",")
		switch h {
		case "host":
			v = r.Host
		case "content-length":
			v = r.Header.Get("Content-Length")
			if v == "" {
				v = itoa(r.ContentLength)
			}
		}
		b.WriteString(h + ":" + strings.Join(strings.Fields(v), " ") + "\n")
	}
	hash := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + hex.EncodeToString(hash[:]))
	return b.String()
}

// canonicalQuery sorts by name and encodes spaces as %20.
func canonicalQuery(q url.Values) string {
	return strings.ReplaceAll(q.Encode(), "+", "%20")
}
