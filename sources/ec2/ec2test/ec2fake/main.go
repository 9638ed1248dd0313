// Ec2fake is the Amazon EC2 of package ec2test as a program, for tests that
// start mcp-sd as one, and for trying the source out without an account:
//
//	go run ./sources/ec2/ec2test/ec2fake --listen 127.0.0.1:4566
//	curl -X PUT 127.0.0.1:4566/fake/keys -d '{"AccessKey": "test", "Secret": "test", "Account": "111111111111"}'
//	curl -X PUT 127.0.0.1:4566/fake/instances -d '[{"ID": "i-1", "Account": "111111111111", "Region": "us-east-1",
//	  "PrivateIP": "10.0.1.10", "Tags": {"mcp": "true"}}]'
//
// What else it can be told is in the documentation of ec2test's Control. It
// keeps nothing, and it guards nothing: it is for loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mcp-sd/mcp-sd/sources/ec2/ec2test"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ec2fake:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("ec2fake", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:4566", "address to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *listen, err)
	}
	fmt.Println("listening on", l.Addr())
	return http.Serve(l, ec2test.New().Control())
}
