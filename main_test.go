package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcp-sd/mcp-sd/house/ports"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mcp-sd": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command line as its users do: each file below
// testdata/script tells a story (contract §2: calls, exit statuses, signals).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("OUT", env.WorkDir+"/out")
			env.Setenv("FLAGS", "--state.path="+env.WorkDir+"/state")
			listen, err := ports.Address()
			if err != nil {
				return err
			}
			env.Setenv("LISTEN", listen)
			env.Values[endpoints{}] = map[string]*httptest.Server{}
			return os.MkdirAll(env.WorkDir+"/out", 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"endpoint": endpoint,
			"expand":   expand,
			"backdate": backdate,
			"fresh":    fresh,
			"status":   status,
			"eventually": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(eventually(ts, neg, args))
			},
			"signal": signalDaemon,
		},
	})
}

// endpoints is the key of a script's running endpoints by name.
type endpoints struct{}

// endpoint NAME [healthy|login|error]: starts a metrics endpoint and sets $NAME
// to its address. "endpoint NAME stop" stops it.
func endpoint(ts *testscript.TestScript, _ bool, args []string) {
	running := ts.Value(endpoints{}).(map[string]*httptest.Server)
	name, mode := args[0], "healthy"
	if len(args) > 1 {
		mode = args[1]
	}
	if mode == "stop" {
		running[name].Close()
		return
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch mode {
		case "healthy":
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			fmt.Fprint(w, "mcp_build_info{version=\"1.4.2\"} 1\n")
		case "login":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>please log in</html>")
		default:
			http.Error(w, "broken on purpose", http.StatusInternalServerError)
		}
	}))
	running[name] = srv
	ts.Setenv(name, srv.Listener.Addr().String())
	ts.Defer(srv.Close)
}

// expand FILE ...: replaces $NAME in files by the script's variables.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// backdate FILE ...: makes the files two hours old.
func backdate(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		old := time.Now().Add(-2 * time.Hour)
		ts.Check(os.Chtimes(ts.MkAbs(name), old, old))
	}
}

// fresh FILE: checks that the file was written or refreshed within the last
// hour; with ! that it was not.
func fresh(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if age := time.Since(info.ModTime()); (age < time.Hour) == neg {
		ts.Fatalf("%s was last written or refreshed %s ago", args[0], age.Round(time.Second))
	}
}

// status N ARG ...: runs mcp-sd, whose exit status must be N.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("mcp-sd", args[1:]...)
	got := 0
	var exit interface{ ExitCode() int }
	switch {
	case err == nil:
	case errors.As(err, &exit):
		got = exit.ExitCode()
	default:
		ts.Fatalf("running mcp-sd: %v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// eventually URL|FILE REGEXP: waits until a page or a file matches; with ! it
// waits until it does not.
func eventually(ts *testscript.TestScript, neg bool, args []string) error {
	want := regexp.MustCompile(args[1])
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last []byte
	for {
		var err error
		if last, err = look(ts, args[0]); err == nil && want.Match(last) != neg {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %q is not as expected within a minute; last seen (%w):\n%s", args[0], args[1], err, last)
		}
	}
}

func look(ts *testscript.TestScript, where string) ([]byte, error) {
	if !strings.HasPrefix(where, "http://") {
		return os.ReadFile(ts.MkAbs(where))
	}
	resp, err := http.Get(where)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return append(bytes.TrimSpace(body), fmt.Sprintf("\nstatus %d", resp.StatusCode)...), err
}

// signal HUP|TERM: signals the background mcp-sd, whose pid the lock names.
func signalDaemon(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile("out/.mcp-sd/lock")))
	ts.Check(err)
	sig := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}[args[0]]
	ts.Check(syscall.Kill(pid, sig))
}
