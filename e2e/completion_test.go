package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A keyboard types into a shell in front of a terminal of its own.
type keyboard struct {
	keys  io.Writer
	lines string // the file in which the shell notes what a line became
	count int
}

// newKeyboard starts a shell, with the daemon of a workspace behind the program.
func newKeyboard(t *testing.T, w *workspace, shell, setup string) *keyboard {
	t.Helper()
	k := &keyboard{lines: filepath.Join(w.dir, "lines-"+strings.Fields(shell)[0])}
	// script(1) gives a program a terminal.
	cmd := exec.CommandContext(t.Context(), "script", "--quiet", "--command", shell, os.DevNull)
	cmd.Env = []string{"PATH=" + filepath.Dir(mcpSD) + ":" + os.Getenv("PATH"), "HOME=" + w.dir, "STATE_DIRECTORY=" + w.state, "TERM=dumb", "LC_ALL=C.UTF-8"}
	cmd.Dir = w.dir
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.keys = keys
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the test's context has hung up
	k.press(t, setup+"; echo ready >>"+k.lines+"\n")
	k.line(t)
	return k
}

func (k *keyboard) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(k.keys, keys); err != nil {
		t.Fatal(err)
	}
}

// line waits for the next line that the shell notes.
func (k *keyboard) line(t *testing.T) string {
	t.Helper()
	var noted []string
	eventually(t, soon, func() error {
		b, err := os.ReadFile(k.lines)
		noted = strings.SplitAfter(string(b), "\n")
		if err == nil && len(noted) < k.count+2 {
			err = fmt.Errorf("%s has %q", k.lines, noted)
		}
		return err
	})
	k.count++
	return strings.TrimSpace(noted[k.count-1])
}

// tab types a line, presses Tab, and returns what the line is then: Control and
// A goes to its beginning, E to its end.
func (k *keyboard) tab(t *testing.T, line string) string {
	t.Helper()
	k.press(t, line+"\t\x01echo \x05 >>"+k.lines+"\n")
	return k.line(t)
}

// TestCompletion presses Tab in a real bash and a real zsh, as eval and as the
// package set them up: the script is the same.
func TestCompletion(t *testing.T) {
	t.Parallel()
	w, fleet := newWorkspace(t), newFleet(t)
	a, b := fleet.add("127.0.76.1", ""), fleet.add("127.0.76.2", "")
	w.configure(t, `
sources: [{name: racks, static: {targets: [{targets: [%q, %q]}]}}]
health: {enabled: false}
outputs: [{path: $TARGETS/mcp.json}]
`, a, b)
	d := w.start(t)
	eventually(t, soon, func() error { return d.metric(`mcp_sd_targets{source="racks",state="published"}`, "2") })

	// zsh loads it by the first Tab, as from the package's /usr/share/zsh.
	if err := os.WriteFile(filepath.Join(w.dir, "_mcp-sd"), []byte(mcpSDCall(t, "--completion-script-zsh").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	for shell, setup := range map[string]string{
		"bash --norc --noprofile -i": `set +o history; eval "$(mcp-sd --completion-script-bash)"`,
		"zsh -f -i":                  `bindkey -e; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D`,
	} {
		k := newKeyboard(t, w, shell, setup)
		for line, want := range map[string]string{
			"mcp-sd expl":                                    "mcp-sd explain",
			"mcp-sd --config.f":                              "mcp-sd --config.file",
			"mcp-sd --config.file=_mcp-":                     "mcp-sd --config.file=_mcp-sd",
			"mcp-sd check-config _mcp-":                      "mcp-sd check-config _mcp-sd",
			"mcp-sd explain 127.0.":                          "mcp-sd explain 127.0.76.",
			"mcp-sd explain 127.0.76.1":                      "mcp-sd explain " + a,
			"mcp-sd explain " + b[:len(b)-2]:                 "mcp-sd explain " + b,
			"mcp-sd targets --format=j":                      "mcp-sd targets --format=json",
			"mcp-sd targets --format j":                      "mcp-sd targets --format json",
			"mcp-sd --state.path=" + w.dir + " explain 127.": "mcp-sd --state.path=" + w.dir + " explain 127.", // no daemon there
			"mcp-sd remove 127.":                             "mcp-sd remove 127.",                             // nothing can be removed
		} {
			got := k.tab(t, line)
			for n := 0; got != want && n < 5; n++ { // a shell gives up asking the daemon after a second
				got = k.tab(t, line)
			}
			if got != want {
				t.Errorf("%s: %q and Tab makes %q, want %q", shell, line, got, want)
			}
		}
	}
	d.stops(t)
}
