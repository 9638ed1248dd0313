//go:build !remove_all_sd

package mechanisms_test

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// api answers as a service does, apart from a fault.
type api struct {
	recording
	fault fault
	gone  chan struct{} // closed when the test is over
}

// fault is what happens to one question, or to all.
type fault struct {
	name    string
	to      string // the key of its answer; "": all
	serve   func(a *api, w http.ResponseWriter, r *http.Request, key, answer string)
	timeout time.Duration // of the source; 0: so long that it is not what fails the part
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, answer := a.find(r)
	answer = strings.ReplaceAll(answer, "$URL", "http://"+r.Host)
	kind := "application/json"
	if strings.HasPrefix(answer, "<") {
		kind = "application/xml"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Api-Version", "1.47")  // Docker
	w.Header().Set("X-Subject-Token", "t") // Keystone
	if a.fault.serve != nil && (a.fault.to == "" || a.fault.to == key) {
		a.fault.serve(a, w, r, key, answer)
		return
	}
	a.answer(w, key, answer)
}

func (*api) answer(w http.ResponseWriter, key, answer string) {
	switch {
	case answer == "":
		w.WriteHeader(http.StatusNotFound)
	case strings.HasSuffix(key, "/auth/tokens"):
		w.WriteHeader(http.StatusCreated)
	}
	fmt.Fprint(w, answer)
}

// find returns the answer with the longest key: the end of the path, or, before
// those, a word of the question where all are put to the same path.
func (a *api) find(r *http.Request) (key, answer string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", ""
	}
	question := r.URL.RawQuery + " " + r.Header.Get("X-Amz-Target") + " " + string(body)
	best := 0
	for k, text := range a.answers {
		rank := len(k)
		switch {
		case strings.HasPrefix(k, "/") && strings.HasSuffix(r.URL.Path, k):
		case !strings.HasPrefix(k, "/") && strings.Contains(question, k):
			rank += 1000
		default:
			continue
		}
		if rank > best {
			best, key, answer = rank, k, text
		}
	}
	return key, answer
}

// refuse has a body that is JSON, because whoever forgets to look at the status
// reads an empty list there.
func refuse(a *api, w http.ResponseWriter, _ *http.Request, _, _ string) {
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprint(w, cmp.Or(a.refusal, `{"message": "no leader"}`))
}

func half(a *api, w http.ResponseWriter, _ *http.Request, key, answer string) {
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	a.answer(w, key, answer[:len(answer)/2])
}

// hang lasts longer than the question: Nomad's client, for one, waits for an answer
// as long as the connection stands, whatever its context.
func hang(a *api, _ http.ResponseWriter, r *http.Request, _, _ string) {
	select {
	case <-r.Context().Done():
	case <-a.gone:
	}
}

// server is an api in all the ways that mechanisms reach one.
type server struct {
	plain, secure *httptest.Server
	socket, key   string
}

func serve(t *testing.T, r recording, f fault) server {
	t.Helper()
	a := &api{recording: r, fault: f, gone: make(chan struct{})}
	secure := httptest.NewTLSServer(a)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			splice(w, secure.Listener.Addr().String())
			return
		}
		a.ServeHTTP(w, r)
	}))
	s := server{plain: plain, secure: secure, socket: filepath.Join(t.TempDir(), "s"), key: filepath.Join(t.TempDir(), "key.pem")}
	t.Cleanup(func() { close(a.gone); plain.Close(); secure.Close() })
	if strings.Contains(r.config, "$SOCKET") {
		l, err := net.Listen("unix", s.socket) //nolint:noctx // a test's own
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go http.Serve(l, a) //nolint:errcheck,gosec // ends with the listener
	}
	if strings.Contains(r.config, "$KEY") {
		if err := os.WriteFile(s.key, privateKey(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fill names the server in a configuration:
// $PROXY are the settings of an HTTP client that reaches it for every https URL,
// $PORT is the proxy's, $TLS that of the server itself, $KEY a file.
func (s server) fill(config string) string {
	return strings.NewReplacer(
		"$URL", s.plain.URL, "$SOCKET", "unix://"+s.socket, "$KEY", s.key,
		"$PROXY", "proxy_url: '"+s.plain.URL+"', tls_config: {insecure_skip_verify: true}",
		"$PORT", port(s.plain), "$TLS", port(s.secure), "$REFRESH", "refresh_interval: 10s",
	).Replace(config)
}

func port(s *httptest.Server) string {
	_, p, _ := strings.Cut(strings.TrimPrefix(s.Listener.Addr().String(), "["), ":")
	return p
}

// splice is what a proxy does with CONNECT, whatever host was asked for.
func splice(w http.ResponseWriter, to string) {
	up, err := net.Dial("tcp", to) //nolint:noctx // a test's own
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	fmt.Fprint(down, "HTTP/1.1 200 OK\r\n\r\n")
	go io.Copy(up, down) //nolint:errcheck // it ends with either of them
	io.Copy(down, up)    //nolint:errcheck // likewise
}

// privateKey is one for signing questions.
var privateKey = sync.OnceValue(func() []byte {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
})

// What follows is only reached by the environment.
func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait, mostly.
	if err := flag.Set("test.parallel", "256"); err != nil {
		panic(err)
	}
	tokens := httptest.NewServer(http.HandlerFunc(token))
	for name, value := range map[string]string{
		"AWS_REGION":        "eu-central-1",
		"AWS_CA_BUNDLE":     "", // with it Prometheus' aws mechanisms can't be started
		"GCE_METADATA_HOST": tokens.Listener.Addr().String(),
		"IDENTITY_ENDPOINT": tokens.URL, "IDENTITY_HEADER": "h", // Azure
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	d := http.DefaultTransport.(*http.Transport)
	d.Proxy = byProject
	d.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // httptest's certificate
	os.Exit(m.Run())
}

// token is what machines of a cloud are given for the asking.
func token(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/universe-domain") {
		fmt.Fprint(w, "googleapis.com")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token": "t", "token_type": "Bearer", "expires_in": 3600, "expires_on": "%d", "resource": "r"}`, time.Now().Add(time.Hour).Unix())
}

var project = regexp.MustCompile(`/projects/mcp-(\d+)/`)

// byProject finds a proxy whose port is the project's number: the mechanism of GCE
// has no settings for its HTTP client.
func byProject(r *http.Request) (*url.URL, error) {
	if m := project.FindStringSubmatch(r.URL.Path); m != nil {
		return &url.URL{Scheme: "http", Host: "127.0.0.1:" + m[1]}, nil
	}
	return nil, nil //nolint:nilnil // no proxy
}
