// Package systemd tells the service manager how the daemon is: that it is ready,
// that it reloads or stops, that its loop still turns, and in one line what it
// does. Beside it lie the units, the user and the directories.
//
// Without a service manager that asks (Type=notify sets NOTIFY_SOCKET) nothing
// is sent. The caveat: a sign of life is worth what its sender is worth. Beat
// has to be called by the loop that does the work, never by a ticker of its
// own, or the watchdog guards the ticker.
package systemd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

const (
	// statusEvery is how soon a changed status line is sent.
	statusEvery = time.Second
	// patience is how much more time to start each turn of the loop asks for:
	// a source may take as long as its timeout to give its first answer, and a
	// service manager that loses patience would start it all over again.
	patience = time.Minute
)

// Notifier speaks systemd's notify protocol, sd_notify(3). Its methods may be
// called from any goroutine.
type Notifier struct {
	logger *slog.Logger
	send   func(message string) error
	every  time.Duration // between two signs of life

	mu       sync.Mutex
	last     time.Time // of the last sign of life
	status   string
	ready    bool
	stopping bool
	broken   bool
}

// New returns a Notifier for the service manager that the environment names.
func New(logger *slog.Logger) *Notifier {
	n := &Notifier{logger: logger, every: statusEvery, send: func(message string) error {
		_, err := daemon.SdNotify(false, message) // false without an error: nobody asked
		return err
	}}
	switch watchdog, err := daemon.SdWatchdogEnabled(false); {
	case err != nil:
		logger.Warn("the watchdog's interval can't be read; a sign of life is sent every second", slog.Any("err", err))
	case watchdog > 0:
		n.every = min(n.every, watchdog/4)
	}
	return n
}

// Beat is a turn of the loop that does the work: the watchdog's sign of life.
// The first one that is ready ends the start; until then each asks for more
// time. status is called where the line may be due.
func (n *Notifier) Beat(ready bool, status func() string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	begins := ready && !n.ready
	if n.stopping || !begins && now.Sub(n.last) < n.every {
		return
	}
	n.last = now
	message := []string{daemon.SdNotifyWatchdog}
	if begins {
		n.ready = true
		message = append(message, daemon.SdNotifyReady)
	}
	if !n.ready {
		message = append(message, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", patience.Microseconds()))
	}
	n.tell(message, status())
}

// Reloading says that a new configuration is being read. Reloaded has to follow.
func (n *Notifier) Reloading() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ready || n.stopping { // a READY=1 after it would end a start that is under way
		return
	}
	n.tell([]string{daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec())}, "reading the configuration anew")
}

// Reloaded says that the new configuration is in force or, with err, that the
// old one stays.
func (n *Notifier) Reloaded(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ready || n.stopping {
		return
	}
	status := "the new configuration is in force"
	if err != nil {
		status = "the old configuration stays in force, the new one is invalid"
	}
	n.last = time.Now() // the line stands for a moment
	n.tell([]string{daemon.SdNotifyReady}, status)
}

// Stopping says that the end has begun. Nothing is sent after it.
func (n *Notifier) Stopping() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping {
		return
	}
	n.stopping = true
	n.tell([]string{daemon.SdNotifyStopping}, "stopping")
}

// tell sends one message; the status line goes with it where it has changed.
func (n *Notifier) tell(message []string, status string) {
	if status != n.status {
		n.status = status
		message = append(message, "STATUS="+strings.ReplaceAll(status, "\n", " "))
	}
	err := n.send(strings.Join(message, "\n"))
	if err != nil && !n.broken {
		n.logger.Warn("the service manager can't be told how mcp-sd is; it may think that mcp-sd hangs", slog.Any("err", err))
	}
	n.broken = err != nil
}
