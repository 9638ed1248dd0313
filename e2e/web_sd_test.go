package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHTTPSD lets a real Prometheus load from mcp-sd itself: all files at once,
// and one of them by its name (contract §9).
func TestHTTPSD(t *testing.T) {
	t.Parallel()
	eachPrometheus(t, func(t *testing.T, version prometheusVersion) {
		w, fleet := newWorkspace(t), newFleet(t)
		want := map[string]labels{}
		write := func(environments ...string) {
			clear(want)
			groups := "["
			for i, e := range environments {
				a := fleet.add(fmt.Sprintf("127.0.74.%d", 1+i), "")
				want[a] = labels{"environment": e}
				groups += fmt.Sprintf(`{"targets": [%q], "labels": {"environment": %q}},`, a, e)
			}
			replaceFile(t, w.static+"/a.yml", groups[:len(groups)-1]+"]")
		}
		write("production", "staging")
		w.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/a.yml']}}]
health: {interval: 1s, timeout: 1s}
outputs: [{path: '$TARGETS/mcp-{environment}.json', min_write_interval: 100ms}]
`)
		d := w.start(t)
		for _, file := range []string{"mcp-production.json", "mcp-staging.json"} {
			eventually(t, soon, func() error { return d.serves(file, w.output(file)) })
		}
		all := version.start(t, fmt.Sprintf("- {job_name: mcp, http_sd_configs: [{url: '%s/sd', refresh_interval: 1s}]}\n", d.url))
		one := version.start(t, fmt.Sprintf("- {job_name: mcp, http_sd_configs: [{url: '%s/sd/mcp-staging.json', refresh_interval: 1s}]}\n", d.url))
		staging := fleet.address("127.0.74.2")
		eventually(t, inStep, func() error { return all.has(want) })
		eventually(t, inStep, func() error { return one.has(map[string]labels{staging: {"environment": "staging"}}) })
		write("production", "staging", "lab")
		eventually(t, inStep, func() error { return all.has(want) })
		d.stops(t)
		holds(t, 2*time.Second, func() error { return all.has(want) }) // a dead mcp-sd takes nothing away
	})
}

// serves checks that /sd/FILE is the very bytes of the file, with an entity tag
// that spares the next answer.
func (d *daemon) serves(name, path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodGet, d.url+"/sd/"+name, nil)
	if err != nil {
		return err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return err
	}
	if response.StatusCode != 200 || !bytes.Equal(body.Bytes(), file) {
		return fmt.Errorf("/sd/%s answers %d with %d bytes, the file has %d", name, response.StatusCode, body.Len(), len(file))
	}
	request.Header.Set("If-None-Match", response.Header.Get("ETag"))
	again, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer again.Body.Close()
	if again.StatusCode != http.StatusNotModified {
		return fmt.Errorf("/sd/%s with its own entity tag answers %d", name, again.StatusCode)
	}
	return nil
}

// statusPageTime is how long the status page may take, with 10,000 targets.
const statusPageTime = 200 * time.Millisecond

// TestTenThousandTargetsAreQuick: the pages are as quick as with ten. Not beside
// other tests, and judged by the fastest of ten: a busy machine delays any.
func TestTenThousandTargetsAreQuick(t *testing.T) {
	const n = 10_000
	w := newWorkspace(t)
	var addresses []string
	for i := range n {
		addresses = append(addresses, fmt.Sprintf(`"10.%d.%d.%d:3000"`, i/62500, i/250%250, i%250))
	}
	replaceFile(t, w.static+"/a.json", fmt.Sprintf(`[{"targets": [%s], "labels": {"environment": "production"}}]`, strings.Join(addresses, ",")))
	w.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/a.json']}}]
health: {enabled: false}
outputs: [{path: $TARGETS/mcp.json}]
`)
	d := w.start(t)
	eventually(t, soon, func() error { return d.metric(`mcp_sd_targets{source="racks",state="published"}`, fmt.Sprint(n)) })
	for _, path := range []string{"/", "/?page=77", "/?q=10.0.30.7", `/?match=region%3D%22%22&state=published`, "/target?address=10.0.30.7:3000"} {
		var took []time.Duration
		for range 10 {
			began := time.Now()
			if _, err := httpGet(d.url + path); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("%s: %s to %s", path, took[0], took[len(took)-1])
		if took[0] > statusPageTime {
			t.Errorf("%s takes %s, at most %s", path, took, statusPageTime)
		}
	}
	body, err := httpGet(d.url + "/api/v1/targets")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Data []json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data) != n {
		t.Errorf("/api/v1/targets has %d targets: %v", len(answer.Data), err)
	}
	d.stops(t)
}
