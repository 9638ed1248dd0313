package ec2

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
)

// endpoint: a URL, one with the region in it, or what the environment says.
func TestEndpoints(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, url string, o *Options){
		"option":           func(_ *testing.T, url string, o *Options) { o.Endpoint = url },
		"option with path": func(_ *testing.T, url string, o *Options) { o.Endpoint = url + "/{region}/ec2" },
		"AWS_ENDPOINT_URL": func(t *testing.T, url string, _ *Options) { t.Setenv("AWS_ENDPOINT_URL", url) },
		"of the service":   func(t *testing.T, url string, _ *Options) { t.Setenv("AWS_ENDPOINT_URL_EC2", url) },
		"option before that": func(t *testing.T, url string, o *Options) {
			t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
			o.Endpoint = url
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.Launch(few()...)
			s := c.build(t, func(o *Options) { o.Endpoint = ""; prepare(t, c.url, o) })
			for region, n := range map[string]int{"us-east-1": 3, "eu-west-1": 1} {
				if p := parts(t, s)[region]; p.Err != nil || len(p.Raw) > 0 && len(p.Raw) != n {
					t.Errorf("%s: %d targets, %v", region, len(p.Raw), p.Err)
				}
			}
		})
	}
}

// intercepted is the cloud as it is found in the internet: a proxy leads every
// name to it, with certificates of an authority of its own.
type intercepted struct {
	*cloud
	proxy string // URL
	ca    string // certificate

	mu    sync.Mutex
	hosts map[string]bool
}

func intercept(t *testing.T) *intercepted {
	t.Helper()
	i := &intercepted{cloud: newCloud(t), hosts: map[string]bool{}}
	authority, key, text := newAuthority(t)
	i.ca = text
	leaf := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(2), DNSNames: []string{hello.ServerName}, NotAfter: time.Now().Add(time.Hour),
		}, authority, &key.PublicKey, key)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}
	inside := httptest.NewUnstartedServer(i.cloud)
	inside.TLS = &tls.Config{GetCertificate: leaf}
	inside.StartTLS()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.hosts[r.Host] = true
		i.mu.Unlock()
		tunnel(w, inside.Listener.Addr().String())
	}))
	t.Cleanup(func() { proxy.CloseClientConnections(); proxy.Close(); inside.CloseClientConnections(); inside.Close() })
	i.proxy = proxy.URL
	return i
}

// tunnel joins the connection of a CONNECT to an address.
func tunnel(w http.ResponseWriter, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	near, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		far.Close()
		return
	}
	_, _ = near.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	go func() { defer far.Close(); _, _ = bufio.NewReader(buffered).WriteTo(far) }()
	go func() { defer near.Close(); _, _ = bufio.NewReader(far).WriteTo(near) }()
}

func newAuthority(tb testing.TB) (*x509.Certificate, *ecdsa.PrivateKey, string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ec2test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ec2test"}}, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The real names of AWS' endpoints, each region its own, with TLS, through
// proxy_url; FIPS and dual-stack as the SDK reads them. Certificates are
// trusted by tls_config or, as AWS' tools do, by AWS_CA_BUNDLE.
func TestRealNames(t *testing.T) {
	for _, tc := range []struct {
		env    map[string]string
		bundle bool
		hosts  string
	}{
		{nil, false, "ec2.eu-west-1.amazonaws.com:443 ec2.us-east-1.amazonaws.com:443 sts.eu-west-1.amazonaws.com:443 sts.us-east-1.amazonaws.com:443"},
		{nil, true, "ec2.eu-west-1.amazonaws.com:443 ec2.us-east-1.amazonaws.com:443 sts.eu-west-1.amazonaws.com:443 sts.us-east-1.amazonaws.com:443"},
		{map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, true, "ec2-fips.us-east-1.amazonaws.com:443 sts-fips.us-east-1.amazonaws.com:443"},
		{map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, false, "ec2.eu-west-1.api.aws:443 ec2.us-east-1.api.aws:443"},
	} {
		i := intercept(t)
		for k, v := range tc.env {
			t.Setenv(k, v)
		}
		i.AddRole(ec2test.Role{ARN: theirRole})
		text := "regions: [us-east-1, eu-west-1]\nproxy_url: " + i.proxy + "\nrole_arn: " + theirRole + "\naccess_key: " + accessKey + "\nsecret_key: " + secretKey + "\n"
		ca := write(t, "ca.pem", i.ca)
		t.Setenv("AWS_CA_BUNDLE", "")
		if tc.bundle {
			t.Setenv("AWS_CA_BUNDLE", ca)
		} else {
			text += "tls_config: {ca_file: " + ca + "}\n"
		}
		s := newSource(t, parse(t, text))
		for name, p := range parts(t, s) {
			if p.Err != nil && tc.env == nil {
				t.Errorf("%s: %v", name, p.Err)
			}
		}
		for host := range strings.FieldsSeq(tc.hosts) {
			if !i.hosts[host] {
				t.Errorf("%v: %s was not asked, but %v", tc.env, host, i.hosts)
			}
		}
		for k := range tc.env {
			t.Setenv(k, "")
		}
	}
}

// certificate is one that parses; what it vouches for does not matter.
var certificate = func() string {
	var tb testing.T
	_, _, text := newAuthority(&tb)
	return text
}()
