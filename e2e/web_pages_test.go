package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/hashicorp/consul/api"
)

// A shop is a fleet in which everything that can be shown happens at once.
type shop struct {
	*workspace
	fleet  *fleet
	daemon *daemon
	down   string // published, and answers 500
	held   string
	hidden string // pending
}

const hostileValue = `"><script>document.title='pwned'</script><img src=https://192.0.2.1/x>`

func newShop(t *testing.T) *shop {
	consul := startConsul(t, "", "")
	s := &shop{workspace: newWorkspace(t), fleet: newFleet(t)}
	for i, region := range []string{"us-east-1", "us-east-1", "us-east-1", "eu-west-1", "eu-west-1", "eu-west-1"} {
		ip := fmt.Sprintf("127.0.71.%d", 10+i)
		s.fleet.add(ip, "")
		s.register(t, consul, ip, map[string]string{"environment": "production", "region": region, "version": "v2.3.1"})
	}
	s.register(t, consul, s.add("127.0.71.30"), map[string]string{"environment": "staging", "region": "eu-west-1", "version": "v2.4.0-rc1", "team": hostileValue})
	s.held = s.fleet.address("127.0.72.10")
	s.racks(t, 10, 15)
	replaceFile(t, filepath.Join(s.static, "lab.yml"), fmt.Sprintf(`[{"targets": [%q], "labels": {"environment": "lab", "region": "on-prem"}}]`, s.fleet.address(s.add("127.0.73.10"))))
	s.configure(t, `
sources:
  - {name: consul-prod, consul: {server: %q, services: [mcp-server]}}
  - {name: racks, static: {files: ['$STATIC/racks.yml']}}
  - {name: lab, static: {files: ['$STATIC/lab.yml']}}
health: {interval: 1s, timeout: 1s, fall: 2, linger: 1h, allow_cidrs: [127.0.0.0/8]}
guard: {max_removed_ratio: 0, min_removed: 0, window: 1s, confirm_after: 1h}
outputs:
  - {path: '$TARGETS/mcp-{environment}.json', min_write_interval: 100ms}
  - {path: '$TARGETS/all.json', min_write_interval: 100ms}
`, consul.address)
	s.daemon = s.start(t)
	eventually(t, soon, func() error { return s.daemon.metric(`mcp_sd_targets{source="racks",state="published"}`, "6") })
	eventually(t, soon, func() error { return s.daemon.metric(`mcp_sd_targets{source="consul-prod",state="published"}`, "7") })
	// What was admitted within the guard's window would count for what leaves.
	holds(t, 1500*time.Millisecond, s.daemon.running)
	s.happen(t, consul)
	return s
}

// happen lets everything go wrong that the page should show.
func (s *shop) happen(t *testing.T, consul *consulServer) {
	s.down = s.fleet.address("127.0.71.14")
	s.fleet.set("127.0.71.14", broken)
	s.hidden = s.fleet.address(s.add("127.0.71.40"))
	s.fleet.set("127.0.71.40", loginPage)
	s.register(t, consul, "127.0.71.40", map[string]string{"environment": "production", "region": "eu-west-1", "version": "v2.4.0"})
	replaceFile(t, filepath.Join(s.static, "lab.yml"), "[{targets: [")
	for i := 10; i < 14; i++ {
		s.fleet.set(fmt.Sprintf("127.0.72.%d", i), off)
	}
	s.racks(t, 14, 15)
	for series, want := range map[string]string{
		`mcp_sd_targets{source="racks",state="held"}`:              "4",
		`mcp_sd_targets{source="consul-prod",state="pending"}`:     "1",
		`mcp_sd_target_health{health="down",source="consul-prod"}`: "2", // the pending one as well

		`mcp_sd_source_up{source="lab",type="static"}`:           "0",
		`mcp_sd_targets{source="consul-prod",state="published"}`: "7",
	} {
		eventually(t, soon, func() error { return s.daemon.metric(series, want) })
	}
}

func (s *shop) add(ip string) string {
	s.fleet.add(ip, "")
	return ip
}

func (s *shop) register(t *testing.T, consul *consulServer, ip string, meta map[string]string) {
	t.Helper()
	err := consul.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: ip, Name: "mcp-server", Address: ip, Port: s.fleet.port, Meta: meta,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shop) racks(t *testing.T, from, to int) {
	t.Helper()
	var addresses []string
	for i := from; i <= to; i++ {
		ip := fmt.Sprintf("127.0.72.%d", i)
		if s.fleet.instances[ip] == nil {
			s.fleet.add(ip, "")
		}
		addresses = append(addresses, fmt.Sprintf("%q", s.fleet.address(ip)))
	}
	replaceFile(t, filepath.Join(s.static, "racks.yml"), fmt.Sprintf(
		`[{"targets": [%s], "labels": {"environment": "production", "region": "on-prem", "version": "v2.3.1"}}]`, strings.Join(addresses, ", ")))
}

// target is the page of one target.
func (s *shop) target(address string) string {
	return s.daemon.url + "/target?address=" + url.QueryEscape(address)
}

// TestWeb opens the pages as people do (contract §9).
func TestWeb(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := startBrowser(t)
	t.Run("everybody can use them", func(t *testing.T) { s.accessible(b.in(t)) })
	t.Run("by keyboard and without JavaScript", func(t *testing.T) { s.keyboard(b.in(t)) })
	t.Run("what is shown", func(t *testing.T) { s.shows(b.in(t)) })
	t.Run("pictures", func(t *testing.T) { s.pictures(b.in(t)) })
	if err := b.quiet(s.daemon.url); err != nil {
		t.Error(err)
	}
	s.daemon.stops(t)
}

// in is the browser in the hands of a subtest.
func (b *browser) in(t testing.TB) *browser {
	b.t = t
	return b
}

// accessible: axe-core finds nothing, and nothing sticks out of a phone.
func (s *shop) accessible(b *browser) {
	pages := []struct{ what, url string }{
		{"the status page", s.daemon.url + "/"},
		{"a target that is down", s.target(s.down)},
		{"a filter without match", s.daemon.url + "/?q=nothing.example"},
		{"a wrong filter", s.daemon.url + "/?match=a%3D%3D"},
		{"a target that is held", s.target(s.held)},
		{"an unknown target", s.target("127.0.71.1:1")},
		{"the configuration", s.daemon.url + "/config"},
	}
	for _, screen := range []struct {
		width, height int64
		scheme        string
		pages         int // that can look otherwise there
	}{{1400, 900, "light", len(pages)}, {1400, 900, "dark", 2}, {390, 844, "light", 1}, {320, 640, "dark", 2}} {
		b.look(screen.width, screen.height, screen.scheme)
		for _, page := range pages[:screen.pages] {
			what := fmt.Sprintf("%s at %d px in %s", page.what, screen.width, screen.scheme)
			b.open(page.url)
			b.accessible(what)
			if wide := evaluated[int64](b, "document.scrollingElement.scrollWidth"); wide > screen.width {
				b.t.Errorf("%s is %d px wide", what, wide)
			}
		}
	}
	evaluated[bool](b, `document.body.append(document.createElement("img")), true`)
	if found := b.violations(); len(found) == 0 {
		b.t.Error("axe-core does not see a picture without words")
	}
}

// keyboard: the first key skips the navigation, and the filter is at hand.
func (s *shop) keyboard(b *browser) {
	b.look(1400, 900, "light")
	b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	defer b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))
	b.open(s.daemon.url + "/")
	b.do(chromedp.KeyEvent(kb.Tab))
	if focused := evaluated[string](b, "document.activeElement.innerText"); focused != "Skip to the content" {
		b.t.Errorf("the first key reaches %q", focused)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	for range 80 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if evaluated[string](b, "document.activeElement.id") == "q" {
			break
		}
	}
	b.do(chromedp.KeyEvent("not_metrics" + kb.Enter))
	eventually(b.t, soon, func() error { return b.says("1–1 of 1 target, of 15 in all", s.hidden) })
}

// shows: what was discovered stays text, and every fact is on its page.
func (s *shop) shows(b *browser) {
	b.look(1400, 900, "light")
	has := func(page string, want ...string) {
		b.t.Helper()
		b.open(page)
		text := b.text()
		for _, w := range want {
			if !strings.Contains(text, w) {
				b.t.Errorf("%s does not say %q:\n%s", page, w, text)
			}
		}
	}
	has(s.daemon.url+"/", "Source lab fails; its last good targets are kept.", "The guard holds back the removal of 4 targets.",
		s.down, "http_5xx", "not_metrics", s.output("mcp-production.json"), "1–15 of 15 targets")
	has(s.daemon.url+"/?match="+url.QueryEscape(`environment="staging"`), "1–1 of 1 target, of 15 in all")
	has(s.daemon.url+"/?state=held", "held: too many would leave at once")
	has(s.target(s.fleet.address("127.0.71.30")), hostileValue, "v2.4.0-rc1", "Listed by consul-prod", "__meta_consul_service_id")
	if title := evaluated[string](b, "document.title"); strings.Contains(title, "pwned") {
		b.t.Error("a label's script ran")
	}
	has(s.target("127.0.71.1:1"), "No source lists it", "127.0.71.1", "Nearest")
	has(s.daemon.url+"/config", "consul-prod", "allow_cidrs")
}
