package consul

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxRefusal is what is read of a refusal: its beginning goes into an error.
const maxRefusal = 4 << 10

// minSecret is the length from which on a secret is one: every text holds
// shorter ones by chance.
const minSecret = 4

// conceal takes out of a refusal what was sent with the question: a proxy, or
// a server that is no Consul, may quote it, and errors are logged (contract §3).
func conceal(resp *http.Response, secrets []string) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading the refusal: %w", err)
	}
	for _, secret := range secrets {
		body = bytes.ReplaceAll(body, []byte(secret), []byte("<secret>"))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// sent are the secrets in a request as it went out, whoever put them there: all
// headers that are no custom of HTTP, and the password for the proxy.
func sent(req *http.Request, proxy func(*http.Request) (*url.URL, error)) []string {
	var secrets []string
	for name, values := range req.Header {
		if !slices.Contains([]string{"Accept", "Accept-Encoding", "Content-Type", "User-Agent"}, name) {
			for _, v := range values {
				secrets = append(secrets, credentials(v)...)
			}
		}
	}
	if proxy != nil {
		if via, err := proxy(req); err == nil && via != nil && via.User != nil {
			password, _ := via.User.Password()
			secrets = append(secrets, password, encoded(via.User.Username()+":"+password))
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minSecret })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	return secrets
}

// credentials are the forms of the secret in a header's value: after the name
// of a scheme, and inside of what basic authentication encodes.
func credentials(value string) []string {
	forms := []string{value}
	if _, secret, found := strings.Cut(value, " "); found {
		forms = append(forms, secret)
		if pair, err := base64.StdEncoding.DecodeString(secret); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			forms = append(forms, password)
		}
	}
	return forms
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// withoutAnswer cuts off what a token endpoint answered: it may quote the
// client's secret.
func withoutAnswer(err error) error {
	if text, _, found := strings.Cut(err.Error(), "\nResponse: "); found {
		return errors.New(text)
	}
	return err
}
