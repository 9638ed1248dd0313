package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/common/promslog"
)

// What an HTTP server says by itself has the log's form; a client that speaks no
// TLS can't fill the log with it.
func TestLibrariesReport(t *testing.T) {
	flags, output := log.Flags(), log.Writer()
	t.Cleanup(func() { log.SetFlags(flags); log.SetOutput(output) })
	for level, want := range map[string][]string{
		"info":  {`level=WARN`, `msg="a library reports" report="http: panic serving`},
		"debug": {`level=DEBUG`, `msg="a library reports" report="http: TLS handshake error from`, `level=WARN`},
	} {
		var b strings.Builder
		config := &promslog.Config{Writer: &b, Level: promslog.NewLevel()}
		if err := config.Level.Set(level); err != nil {
			t.Fatal(err)
		}
		libraries(promslog.New(config))
		s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a fault") }))
		plain, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(plain, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
		if answer, err := s.Client().Get(s.URL); err == nil {
			answer.Body.Close()
			t.Error("the handler did not panic")
		}
		s.Close()
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("at level %s the log lacks %q:\n%s", level, w, b.String())
			}
		}
		if level == "info" && strings.Contains(b.String(), "handshake") {
			t.Errorf("a client without TLS is in the log:\n%s", b.String())
		}
	}
}
