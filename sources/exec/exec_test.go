package exec

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script is a program that a test can change between two runs.
type script struct {
	tb   testing.TB
	dir  string
	opts *Options
}

func newScript(tb testing.TB, text string) *script {
	tb.Helper()
	s := &script{tb: tb, dir: tb.TempDir(), opts: Default()}
	s.opts.Command = []string{"/bin/sh", "program.sh", "an argument"}
	s.put(text)
	return s
}

func (s *script) put(text string) { s.file("program.sh", text) }

func (s *script) file(name, text string) {
	s.tb.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.tb.Fatal(err)
	}
}

// source validates and builds, as main does.
func (s *script) source(logs io.Writer) target.Source {
	s.tb.Helper()
	for _, err := range s.opts.Validate() {
		s.tb.Fatal(err)
	}
	src, err := s.opts.New(target.Env{
		Source: sourcetest.SourceName, Dir: s.dir, Timeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	return src
}

// lists runs the program once in front of a new source.
func (s *script) lists(ctx context.Context) target.Part {
	s.tb.Helper()
	l := s.source(io.Discard).Discover(ctx)
	if err := sourcetest.CheckListing(l, true); err != nil {
		s.tb.Error(err)
	}
	if len(l.Parts) != 1 || l.Parts[0].Name != partName {
		s.tb.Fatalf("the parts are %+v", l.Parts)
	}
	return l.Parts[0]
}

const (
	one  = `echo '[{"targets": ["10.0.0.1:3000", "10.0.0.2:3000"], "labels": {"environment": "production", "team": "a"}}]'` + "\n"
	more = `echo '[{"targets": ["10.0.0.1:3000", "10.0.0.2:3000", "10.0.0.3:3000"]}]'` + "\n"
)

// TestConformance holds programs against what every mechanism promises
// (contract §4).
func TestConformance(t *testing.T) {
	sourcetest.Run(t, func(tb testing.TB) sourcetest.Backend {
		s := newScript(tb, one)
		fault := func(name, text string) sourcetest.Fault {
			return sourcetest.Fault{Name: name, Break: func() { s.put(text) }, Mend: func() { s.put(one) }}
		}
		return sourcetest.Backend{
			New:      func() target.Source { return s.source(io.Discard) },
			Operator: true,
			Change:   func() { s.put(more) },
			Empty:    func() { s.put("echo '[]'") },
			Hang:     func() { s.put("echo '['; sleep 600 & wait") },
			Faults: []sourcetest.Fault{
				fault("status", one+"exit 3"),
				fault("killed", one+"kill -9 $$"),
				fault("nothing", ""),
				fault("cut off", "printf '[{\"targets\": [\"10.0.0.1:3000\"'"),
				fault("null", "echo null"),
				fault("more follows", one+one),
				fault("no JSON", "echo '- targets: [10.0.0.1:3000]'"),
				fault("no program", "exec ./nowhere"),
			},
		}
	})
}

// Contract §4: what a program prints is listed with its labels, which are the
// operator's words; and an unchanged listing costs nothing.
func TestLists(t *testing.T) {
	s := newScript(t, `printf '[{"targets": ["%s:1"], "labels": {"team": "%s", "job": "%s", "dir": "%s", "home": "%s"}}]' "$NAME" "$1" "$0" "$PWD" "$HOME"`)
	s.opts.Env = map[string]promconfig.Secret{"NAME": "host"}
	t.Setenv("HOME", "/root")
	src := s.source(io.Discard)
	first, second := src.Discover(t.Context()).Parts[0], src.Discover(t.Context()).Parts[0]
	if first.Err != nil {
		t.Fatal(first.Err)
	}
	want := `{__address__="host:1", dir="` + s.dir + `", job="program.sh", team="an argument"}`
	if len(first.Raw) != 1 || first.Raw[0].Labels.String() != want {
		t.Errorf("listed are %v, want %s", first.Raw, want)
	}
	if !second.Unchanged {
		t.Errorf("the second listing is not the same: %+v", second)
	}
}

// The environment has nothing that was not given.
func TestEnvironment(t *testing.T) {
	s := newScript(t, `printf '[{"targets": ["a:1"], "labels": {"env": "%s"}}]' "$(env | sed 's/=.*//' | sort | tr '\n' ' ')"`)
	s.opts.Env = map[string]promconfig.Secret{"A_TOKEN": "s3cret-token"}
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for everybody")
	p := s.lists(t.Context())
	if p.Err != nil || p.Raw[0].Labels.Get("env") != "A_TOKEN CREDENTIALS_DIRECTORY OLDPWD PATH PWD _ " && p.Raw[0].Labels.Get("env") != "A_TOKEN CREDENTIALS_DIRECTORY PATH PWD " {
		t.Errorf("%v: %v", p.Err, p.Raw)
	}
}

// Contract §4: whatever else happens is a failure that says what to do.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		class      string
		want       string
	}{
		{"status and stderr", "echo starting >&2; echo 'no route to \033[31mCMDB' >&2; exit 3", ExitStatus, "/bin/sh: exit status 3; it said: starting | no route to [31mCMDB"},
		{"a long stderr", "yes 'the same again' | head -n 100000 >&2; echo 'the last word' >&2; exit 1", ExitStatus, "the same again | the same again | the last word"},
		{"a secret in stderr", `echo "bad token: $TOKEN" >&2; exit 1`, ExitStatus, "it said: bad token: <secret>"},
		{"a signal", "kill -TERM $$", ExitStatus, "signal: terminated"},
		{"nothing", "true", BadOutput, "it is empty (0 bytes): print [] to list no targets"},
		{"a list cut off", `echo '[{"targets": ['`, BadOutput, "is no list of targets: line 1: unexpected EOF"},
		{"another shape", `echo '{"targets": []}'`, BadOutput, "cannot unmarshal object"},
		{"a label that is a number", `echo '[{"targets": [], "labels": {"a": 1}}]'`, BadOutput, "cannot unmarshal number"},
		{"too much", "yes", TooLarge, "it printed more than 1024 bytes: raise output_limit"},
		{"too much at the end", "head -c 1025 /dev/zero", TooLarge, "it printed more than 1024 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, tc.text)
			s.opts.OutputLimit = 1024
			s.opts.Env = map[string]promconfig.Secret{"TOKEN": "s3cret-token"}
			p := s.lists(t.Context())
			checkFailure(t, p.Err, tc.class, tc.want)
		})
	}
}

func checkFailure(t *testing.T, err error, class, want string) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) || f.Reason() != class || !strings.Contains(f.Error(), want) || len(f.Error()) > 700 {
		t.Errorf("got %v, want a failure %s with %q", err, class, want)
	}
}

// A program that is missing or no program may be there at the next refresh.
func TestNotStarted(t *testing.T) {
	s := newScript(t, one)
	s.file("data", one)
	for command, want := range map[string]string{
		"./nowhere":                 s.dir + "/nowhere: starting it: no such file or directory",
		"./data":                    "permission denied",
		"./":                        "permission denied",
		"no-such-program-in-$PATH-": "executable file not found in $PATH",
	} {
		s.opts.Command = []string{command}
		checkFailure(t, s.lists(t.Context()).Err, NotStarted, want)
	}
	s.opts.Command, s.opts.WorkingDirectory = []string{"/bin/sh"}, "elsewhere"
	checkFailure(t, s.lists(t.Context()).Err, NotStarted, "/bin/sh: going to its working directory: stat "+s.dir+"/elsewhere: no such file or directory")
}

// The limit of time is source_timeout.
func TestTimeout(t *testing.T) {
	s := newScript(t, "echo waiting >&2; sleep 600")
	src := s.source(io.Discard).(*source)
	src.timeout = 300 * time.Millisecond
	began := time.Now()
	p := src.Discover(t.Context()).Parts[0]
	checkFailure(t, p.Err, TimedOut, "it took longer than source_timeout and was ended: context deadline exceeded; it said: waiting")
	if !errors.Is(p.Err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", p.Err, time.Since(began))
	}
}

func TestRemarksOfASuccess(t *testing.T) {
	s := newScript(t, "echo deprecated >&2;"+one)
	var log strings.Builder
	if p := s.source(&log).Discover(t.Context()).Parts[0]; p.Err != nil {
		t.Error(p.Err)
	}
	if !strings.Contains(log.String(), "level=DEBUG") || !strings.Contains(log.String(), "text=deprecated") {
		t.Errorf("the log has %s", log.String())
	}
}

// FuzzParse: whatever a program prints, a part is ok or failed, and what is
// listed is legal but for what hygiene looks at.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", " ", "[]", "null", "{}", `[{"targets": ["a:1", ""], "labels": {"a": "b", "__address__": "c:1"}}]`, `[{"targets": []}] []`, "[null]", "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		groups, err := parse(output)
		if err != nil && groups != nil {
			t.Errorf("%v came with %v", err, groups)
		}
		for _, g := range groups {
			if g.Targets == nil {
				t.Errorf("a group without a list: %v", groups)
			}
		}
	})
}

// FuzzLastWords: nothing of a standard error can reach a terminal or a log but
// as text of a bounded length.
func FuzzLastWords(f *testing.F) {
	for _, s := range []string{"", "a\nb\n\nc", "\x1b[2J\r\n", "\xff\xfe", strings.Repeat("é", 300), "s3cret s3cret", "s3c\x00ret"} {
		f.Add([]byte(s))
	}
	secrets := (&Options{Env: map[string]promconfig.Secret{"A": "s3cret"}}).redact()
	f.Fuzz(func(t *testing.T, stderr []byte) {
		var kept tail
		kept.Write(stderr)
		got := lastWords(kept.end, secrets)
		if len(got) > shown+len("…") || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q", got)
		}
		if strings.Contains(got, "s3cret") {
			t.Errorf("the secret is shown: %q", got)
		}
	})
}
