package e2e

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const crashTargets = 200

// crashRounds is how often TestCrash kills: MCP_SD_CRASH_ROUNDS.
func crashRounds(t *testing.T) int {
	t.Helper()
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("MCP_SD_CRASH_ROUNDS"), "60"))
	if err != nil {
		t.Fatalf("MCP_SD_CRASH_ROUNDS: %v", err)
	}
	return rounds
}

// TestCrash kills the daemon again and again while its list changes, under the
// eyes of a reader and of every Prometheus, which must never see less than the
// whole fleet, nor anything that they can't read.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := newCrash(t)
	for range crashRounds(t) {
		c.round(t)
	}
	t.Logf("%v kills, %d of which left a write half done", c.kills, c.hits)
	c.lists(t)
	c.once(t).expectSilence(t)
	eventually(t, soon, func() error { return c.reader.has(c.generation) })
	c.reader.stop(t)
	for _, w := range c.watchers {
		w.ends(t)
	}
	onlyIn(t, c.targets, ".mcp-sd", "by-e0.json", "by-e1.json", "mcp.json")
	onlyIn(t, c.staging, c.calm...) // what the killed ones left has been swept
	onlyIn(t, c.state, "control.sock", "listings", "lock", "outputs.json", "state.json")
}

type crash struct {
	*workspace
	staging    string
	calm       []string // in the staging folder when nobody works
	generation int
	reader     *fileReader
	watchers   []*prometheusVigil
	kills      map[string]int
	hits       int
}

func newCrash(t *testing.T) *crash {
	c := &crash{workspace: newWorkspace(t), kills: map[string]int{}}
	c.staging = filepath.Join(c.targets, ".mcp-sd")
	c.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/*.json']}}]
health: {enabled: false}
guard: {max_removed_ratio: 1, window: 1s}
outputs:
  - {path: $TARGETS/mcp.json, min_write_interval: 1ms}
  - {path: '$TARGETS/by-{environment}.json', min_write_interval: 1ms}
`)
	c.lists(t)
	c.once(t).expectSilence(t)
	c.calm = namesIn(t, c.staging)
	c.reader = watchFile(t, c.output("mcp.json"))
	for _, version := range prometheusVersions {
		c.watchers = append(c.watchers, watchPrometheus(t, version, c.output("mcp.json"), crashAddresses()...))
	}
	return c
}

func crashAddresses() []string {
	addresses := make([]string, crashTargets)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("127.0.11.%d:9000", i)
	}
	return addresses
}

// lists goes on to the next generation. It is always the same instances with
// other labels, so that the whole file is rewritten, and all change places in
// the files by environment; and a guest, whose leaving is to be recorded.
func (c *crash) lists(t *testing.T) {
	t.Helper()
	c.generation++
	var groups []string
	for i, address := range crashAddresses() {
		groups = append(groups, fmt.Sprintf(`{"targets": [%q], "labels": {"version": "v%d", "environment": "e%d", "rack": "r%d"}}`,
			address, c.generation, (i+c.generation)%2, i))
	}
	groups = append(groups, fmt.Sprintf(`{"targets": ["127.0.13.%d:9000"], "labels": {"environment": "e0"}}`, c.generation%250))
	replaceFile(t, filepath.Join(c.static, "a.json"), "["+strings.Join(groups, ",")+"]")
}

// round starts the daemon, kills it, and looks at what is left.
func (c *crash) round(t *testing.T) {
	t.Helper()
	moments := []string{"starting", "writing", "remembering"}
	moment := moments[rand.IntN(len(moments))]
	c.kills[moment]++
	writes, remembers := watchDir(t, c.staging), watchDir(t, c.state)
	defer writes.close()
	defer remembers.close()
	daemon := c.launch(t)
	switch moment {
	case "starting":
		<-time.After(time.Duration(rand.IntN(60)) * time.Millisecond)
	case "writing":
		for range 1 + rand.IntN(3) {
			c.lists(t)
			writes.wait(t, "stage-")
		}
	case "remembering":
		c.lists(t)
		remembers.wait(t, ".state.json")
	}
	<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond)
	daemon.kill()
	c.nothingLost(t)
	if err := daemon.says("set aside"); err == nil {
		t.Errorf("a kill left something that can't be used:\n%s", daemon.logTail())
	}
	if !slices.Equal(namesIn(t, c.staging), c.calm) {
		c.hits++
	}
}

// nothingLost looks at the files by environment while nobody writes to them: a
// target that changes places is in one of them or in both.
func (c *crash) nothingLost(t *testing.T) {
	t.Helper()
	found := map[string]bool{}
	for _, name := range []string{"by-e0.json", "by-e1.json"} {
		targets, err := readTargets(c.output(name))
		if err != nil {
			t.Fatal(err)
		}
		for address := range targets {
			found[address] = true
		}
	}
	for _, address := range crashAddresses() {
		if !found[address] {
			t.Errorf("%s is in no file", address)
		}
	}
}
