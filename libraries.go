package main

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// libraries puts what Go's own packages say by themselves into the log, in its
// form: an HTTP server about its clients, an HTTP client about a server that
// talks out of turn, both about handlers that panicked.
func libraries(logger *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(libraryLog{logger})
}

// libraryLog is the standard logger's output.
type libraryLog struct{ logger *slog.Logger }

// Write logs one report. What the other side alone is to blame for, and may
// repeat as often as it likes, is for debugging.
func (l libraryLog) Write(report []byte) (int, error) {
	text, level := strings.TrimSpace(string(report)), slog.LevelWarn
	for _, theirs := range []string{"http: TLS handshake error", "Unsolicited response", "http: URL query contains semicolon"} {
		if strings.HasPrefix(text, theirs) {
			level = slog.LevelDebug
		}
	}
	l.logger.Log(context.Background(), level, "a library reports", slog.String("report", text))
	return len(report), nil
}
