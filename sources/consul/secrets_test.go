package consul

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"
)

// Contract §3: secrets never appear in errors, whatever a server quotes. What
// else it says stays.
func TestErrorsWithoutSecrets(t *testing.T) {
	quotes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_ = r.ParseForm()
		_, _ = fmt.Fprintf(w, "ACL not found %v %v", r.Header, r.PostForm)
	}))
	defer quotes.Close()
	proxy, err := url.Parse(strings.Replace(quotes.URL, "//", "//user:hunter2@", 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Options){
		"token":         func(o *Options) { o.Token = "hunter2" },
		"password":      func(o *Options) { o.Username, o.Password = "user", "hunter2" },
		"authorization": func(o *Options) { o.HTTPClientConfig.BearerToken = "hunter2" },
		"header": func(o *Options) {
			o.HTTPClientConfig.HTTPHeaders = &promconfig.Headers{Headers: map[string]promconfig.Header{"X-Key": {Secrets: []promconfig.Secret{"hunter2"}}}}
		},
		"oauth2": func(o *Options) {
			o.HTTPClientConfig.OAuth2 = &promconfig.OAuth2{ClientID: "user", ClientSecret: "hunter2", TokenURL: quotes.URL}
		},
		"proxy": func(o *Options) { o.HTTPClientConfig.ProxyURL = promconfig.URL{URL: proxy} },
	} {
		t.Run(name, func(t *testing.T) {
			s := build(t, func(o *Options) {
				o.Server, o.Services = quotes.URL, []string{"web"}
				if edit(o); name == "proxy" {
					o.Server = "http://consul.example:8500" // loopback is not asked for by a proxy
				}
			})
			text := errorsOf(s.Discover(t.Context()))
			if strings.Contains(text, "hunter2") || strings.Contains(text, encoded("user:hunter2")) {
				t.Error(text)
			}
			if want := map[bool]string{true: "403", false: "ACL not found"}[name == "oauth2"]; !strings.Contains(text, want) {
				t.Errorf("lacks %q: %s", want, text)
			}
		})
	}
}
