// Command mcpserver is an MCP server made with the official Go SDK, in any of the
// protocol's eras: what mcp-sd asks when it asks a server who it is. At /metrics
// it has a page without anything of MCP, at /sessions the number of sessions that
// are open now.
//
// It is a module of its own, so that the SDK is nobody else's dependency.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address")
	name := flag.String("name", "sdk", "what it calls itself")
	version := flag.String("version", "1.0.0", "its version")
	revisions := flag.String("revisions", "", "the revisions it speaks, separated by commas; by default all")
	stateless := flag.Bool("stateless", false, "without sessions, as the newest revision has it")
	asJSON := flag.Bool("json", false, "answers are JSON, not events")
	flag.Parse()

	o := &mcp.ServerOptions{}
	if *revisions != "" {
		o.SupportedProtocolVersions = strings.Split(*revisions, ",")
	}
	server := mcp.NewServer(&mcp.Implementation{Name: *name, Version: *version}, o)
	mux := http.NewServeMux()
	mux.Handle("/mcp", mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: *stateless, JSONResponse: *asJSON}))
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, "up_since 1\n")
	})
	mux.HandleFunc("/sessions", func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for range server.Sessions() {
			n++
		}
		_, _ = fmt.Fprintln(w, n)
	})
	h := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := h.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, "mcpserver:", err)
		os.Exit(1)
	}
}
