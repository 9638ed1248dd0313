// Registryfake is the MCP registry of package registrytest as a program, for
// tests that start mcp-sd as one, and for trying the source out without a
// registry:
//
//	go run ./sources/mcpregistry/registrytest/registryfake --listen 127.0.0.1:8080
//	curl -X PUT 127.0.0.1:8080/fake/servers -d '[{"Name": "com.example/weather", "Version": "1.0.0",
//	  "Remotes": [{"type": "streamable-http", "url": "https://weather.example.com/mcp"}]}]'
//
// What else it can be told is in the documentation of registrytest's Control. It
// keeps nothing, and it guards nothing: it is for loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "registryfake:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("registryfake", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "address to listen on")
	size := flags.Int("page-size", 100, "servers on a page, at most")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *listen, err)
	}
	fmt.Println("listening on", l.Addr())
	return http.Serve(l, (&registrytest.Registry{PageSize: *size}).Control())
}
