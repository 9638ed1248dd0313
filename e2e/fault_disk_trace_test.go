package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A traced call is one that matters when the power fails.
type traced struct {
	call string // open, write, sync or rename
	path string
	to   string // of rename
}

// trace runs mcp-sd --once and returns what it did to files of the workspace,
// in the order in which the kernel did it.
func (r *rack) trace(t *testing.T) []traced {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	r.wrap = []string{
		need(t, strace), "-f", "-y", "-s", "0", "-o", path,
		"-e", "trace=openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2",
	}
	r.run(t).expectSilence(t)
	r.wrap = nil
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var calls []traced
	for _, line := range joined(string(content)) {
		if call, ok := parseCall(line); ok && strings.HasPrefix(call.path, r.dir) {
			calls = append(calls, call)
		}
	}
	return calls
}

// strace comes with the distribution.
func strace() (string, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		err = fmt.Errorf("%w\ninstall it: apt-get install --no-install-recommends strace", err)
	}
	return path, err
}

// joined puts calls together that others interrupted, where they ended.
func joined(log string) []string {
	var lines []string
	begun := map[string]string{}
	for line := range strings.Lines(log) {
		pid, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		if start, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
			begun[pid] = start
			continue
		}
		if _, end, ok := strings.Cut(rest, " resumed>"); ok && strings.HasPrefix(rest, "<...") {
			rest = begun[pid] + end
		}
		lines = append(lines, rest)
	}
	return lines
}

var (
	openCall   = regexp.MustCompile(`^openat\(AT_FDCWD<.*?>, "(.*?)", ([A-Z_|]+).*\) += \d+<`)
	writeCall  = regexp.MustCompile(`^(?:write|pwrite64)\(\d+<(/.*?)>.*\) += [1-9]`)
	syncCall   = regexp.MustCompile(`^f(?:data)?sync\(\d+<(/.*?)>\) += 0`)
	renameCall = regexp.MustCompile(`^rename(?:at2?)?\((?:AT_FDCWD<.*?>, )?"(.*?)", (?:AT_FDCWD<.*?>, )?"(.*?)".*\) += 0`)
)

func parseCall(line string) (traced, bool) {
	if m := openCall.FindStringSubmatch(line); m != nil {
		return traced{call: "open", path: m[1]}, strings.Contains(m[2], "O_TRUNC")
	}
	if m := writeCall.FindStringSubmatch(line); m != nil {
		return traced{call: "write", path: m[1]}, true
	}
	if m := syncCall.FindStringSubmatch(line); m != nil {
		return traced{call: "sync", path: m[1]}, true
	}
	if m := renameCall.FindStringSubmatch(line); m != nil {
		return traced{call: "rename", path: m[1], to: m[2]}, true
	}
	return traced{}, false
}

// TestPowerLoss: whatever moment the power fails at, no file is there without
// its content, and nothing is there before what it relies on is there for good.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	r := newRack(t)
	file, state := r.file(), filepath.Join(r.state, "state.json")
	manifest := filepath.Join(r.targets, ".mcp-sd", "manifest.json")

	first := r.trace(t)
	survives(t, r, first)
	inOrder(t, first, manifest, file, filepath.Join(r.state, "listings", "racks.json"), state)

	r.fleet.set(rackIP(3), off)
	r.lists(t, "v2", 1, 2, 4)
	second := r.trace(t)
	survives(t, r, second)
	inOrder(t, second, state, file, state) // the removal is on record before it happens
	if err := r.written(); err != nil {
		t.Error(err)
	}
}

// survives checks the order of writing, syncing and renaming.
func survives(t *testing.T, r *rack, calls []traced) {
	t.Helper()
	dirty := map[string]bool{}  // files, written and not synced
	synced := map[string]bool{} // files
	moved := map[string]string{}
	for _, c := range calls {
		switch c.call {
		case "open":
			if ext := filepath.Ext(c.path); ext == ".json" {
				t.Errorf("%s was opened to be written in place", c.path)
			}
		case "write":
			dirty[c.path] = true
		case "sync":
			delete(dirty, c.path)
			delete(moved, c.path)
			synced[c.path] = true
		case "rename":
			if dirty[c.path] || !synced[c.path] {
				t.Errorf("%s was renamed to %s before it was synced", c.path, c.to)
			}
			if dir := filepath.Dir(c.to); dir == r.targets {
				for dir, name := range moved {
					t.Errorf("%s was renamed before %s was synced after %s came into it", c.to, dir, name)
				}
			}
			moved[filepath.Dir(c.to)] = c.to
		}
	}
	for dir, name := range moved {
		t.Errorf("%s was never synced after %s came into it", dir, name)
	}
	if t.Failed() {
		t.Logf("%q", calls)
	}
}

// inOrder checks that these files were renamed into place in this order,
// whatever else was.
func inOrder(t *testing.T, calls []traced, names ...string) {
	t.Helper()
	var renamed []string
	for _, c := range calls {
		if c.call == "rename" {
			renamed = append(renamed, c.to)
		}
	}
	rest := names
	for _, name := range renamed {
		if len(rest) > 0 && name == rest[0] {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		t.Errorf("renamed were %q, want among them in this order %q", renamed, names)
	}
}
