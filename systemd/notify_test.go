package systemd

import (
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manager is a Notifier that writes down what it sends.
func manager(every time.Duration) (*Notifier, *[]string) {
	var sent []string
	n := &Notifier{logger: slog.New(slog.DiscardHandler), every: every}
	n.send = func(message string) error {
		message = regexp.MustCompile(`MONOTONIC_USEC=\d+`).ReplaceAllString(message, "MONOTONIC_USEC=N")
		sent = append(sent, strings.ReplaceAll(message, "\n", " "))
		return nil
	}
	return n, &sent
}

func says(s string) func() string { return func() string { return s } }

// What systemd hears from the first turn of the loop to the end.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, sent := manager(time.Second)
		n.Beat(false, says("waiting"))
		n.Beat(false, says("waiting")) // at once again: nothing to add
		n.Reloading()                  // while it starts: READY=1 would end the start
		n.Reloaded(nil)
		time.Sleep(time.Second)
		n.Beat(false, says("waiting"))
		n.Beat(true, says("3 targets")) // that is said at once
		n.Beat(true, says("4 targets"))
		time.Sleep(time.Second)
		n.Beat(true, says("4 targets"))
		n.Reloading()
		n.Reloaded(errors.New("line 3: no"))
		n.Reloading()
		n.Reloaded(nil)
		n.Stopping()
		n.Stopping()
		time.Sleep(time.Minute)
		n.Beat(true, says("4 targets"))
		n.Reloading()
		n.Reloaded(nil)
		want := []string{
			"WATCHDOG=1 EXTEND_TIMEOUT_USEC=60000000 STATUS=waiting",
			"WATCHDOG=1 EXTEND_TIMEOUT_USEC=60000000",
			"WATCHDOG=1 READY=1 STATUS=3 targets",
			"WATCHDOG=1 STATUS=4 targets",
			"RELOADING=1 MONOTONIC_USEC=N STATUS=reading the configuration anew",
			"READY=1 STATUS=the old configuration stays in force, the new one is invalid",
			"RELOADING=1 MONOTONIC_USEC=N STATUS=reading the configuration anew",
			"READY=1 STATUS=the new configuration is in force",
			"STOPPING=1 STATUS=stopping",
		}
		if diff := cmp.Diff(want, *sent); diff != "" {
			t.Errorf("-want +sent:\n%s", diff)
		}
	})
}

// A loop that stands still sends no sign of life, whatever the time.
func TestNoTurnNoSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, sent := manager(time.Second)
		n.Beat(true, says("well"))
		time.Sleep(time.Hour)
		if len(*sent) != 1 {
			t.Errorf("sent without a turn of the loop: %q", *sent)
		}
	})
}

// What New makes talks to a real socket, at a quarter of the watchdog's time.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000000")
	n := New(slog.New(slog.DiscardHandler))
	if n.every != 500*time.Millisecond {
		t.Errorf("a sign of life every %v for a watchdog of 2 s", n.every)
	}
	n.Beat(true, says("one\nline"))
	b := make([]byte, 1<<10)
	size, err := l.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b[:size]), "WATCHDOG=1\nREADY=1\nSTATUS=one line"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// Where the socket is gone, that is said once.
func TestSocketGone(t *testing.T) {
	var log strings.Builder
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	t.Setenv("WATCHDOG_USEC", "")
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	n.Beat(true, says("well"))
	n.Reloading()
	n.Reloaded(nil)
	if got := strings.Count(log.String(), "can't be told"); got != 1 {
		t.Errorf("said %d times:\n%s", got, log.String())
	}
}

// Without systemd nothing is sent, and nothing is wrong.
func TestNoManager(t *testing.T) {
	var log strings.Builder
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	n.Beat(true, says("well"))
	n.Stopping()
	if log.Len() > 0 {
		t.Errorf("logged:\n%s", log.String())
	}
}
