package e2e

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is what judges the pages' accessibility, pinned by what is in it.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axeScript gets axe-core through npm once, and keeps it beside the other parts.
var axeScript = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "mcp-sd-e2e")
	packed := filepath.Join(dir, "axe-core-"+axeVersion+".tgz")
	if _, err := os.Stat(packed); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		cmd := exec.Command("npm", "pack", "axe-core@"+axeVersion, "--pack-destination", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s\ninstall npm: apt-get install --no-install-recommends npm", cmd, err, out)
		}
	}
	content, err := os.ReadFile(packed)
	if err != nil {
		return "", err
	}
	sum := sha512.Sum512(content)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != axeIntegrity {
		return "", fmt.Errorf("%s is %s, not %s: remove it", packed, got, axeIntegrity)
	}
	return unpacked(packed, "package/axe.min.js")
})

func unpacked(path, name string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if err != nil {
			return "", fmt.Errorf("%s has no %s: %w", path, name, err)
		}
		if h.Name == name {
			content, err := io.ReadAll(r)
			return string(content), err
		}
	}
}

// A browser is one real Chromium with one tab. It notes what the pages load and
// what they are refused.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	loaded []string // URLs
	said   []string // on the console, by the browser or by pages
}

func startBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: apt-get install --no-install-recommends chromium", err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	b := &browser{t: t, ctx: ctx}
	b.do(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}))
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.loaded = append(b.loaded, e.Request.URL)
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork { // which also says what a 404 is
			b.said = append(b.said, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Text)
	}
}

// command is a protocol command as a step.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// evaluated is what an expression gives in the page.
func evaluated[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.80s: %v", expression, err)
	}
	return v
}

// look chooses the screen and the colour scheme.
func (b *browser) look(width, height int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height), command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

func (b *browser) text() string {
	b.t.Helper()
	return evaluated[string](b, "document.body.innerText")
}

// says checks what the page says, which may just be another one.
func (b *browser) says(want ...string) error {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	for _, w := range want {
		if err == nil && !strings.Contains(text, w) {
			err = fmt.Errorf("the page does not say %q:\n%s", w, text)
		}
	}
	return err
}

// accessible lets axe-core judge the page, by all its rules.
func (b *browser) accessible(what string) {
	b.t.Helper()
	for _, v := range b.violations() {
		b.t.Errorf("%s: %s", what, v)
	}
}

// violations are what axe-core finds wrong with the page.
func (b *browser) violations() []string {
	b.t.Helper()
	script, err := axeScript()
	if err != nil {
		b.t.Fatal(err)
	}
	evaluated[string](b, script+"\n;axe.version")
	return evaluated[[]string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(
		v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ")))`)
}

// quiet checks that everything came from the daemon, and that nothing was
// refused or went wrong on the way.
func (b *browser) quiet(url string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if len(b.loaded) == 0 {
		errs = append(errs, errors.New("no request was seen at all"))
	}
	for _, u := range b.loaded {
		if !strings.HasPrefix(u, url+"/") {
			errs = append(errs, fmt.Errorf("a page loaded %s", u))
		}
	}
	for _, s := range b.said {
		errs = append(errs, fmt.Errorf("the browser says: %s", s))
	}
	return errors.Join(errs...)
}
