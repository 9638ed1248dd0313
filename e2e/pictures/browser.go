package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/chromedp/chromedp"
)

// drawn is how tall a dashboard is once all of its panels have been drawn.
const drawn = `(() => {
	const panels = [...document.querySelectorAll(".react-grid-item")];
	if (panels.length == 0 || document.querySelector('[aria-label="Panel loading bar"], .panel-loading, .preloader')) return 0;
	const shows = p => !p.querySelector(".panel-content") || p.querySelector("canvas, [role=table], .panel-content span");
	if (!panels.every(shows)) return 0;
	return Math.ceil(Math.max(...panels.map(p => p.getBoundingClientRect().bottom)) + 8);
})()`

// firing leaves the alerts that fire on Prometheus' page, with what they say
// but without their rules.
const firing = `(() => {
	document.querySelector("div.show-annotations").click();
	document.querySelectorAll("#alertsTable > tbody > tr").forEach(row => {
		const fires = row.matches(".alert-danger, .alert-danger + .alert_details");
		row.style.display = fires ? "table-row" : "none";
	});
	document.querySelectorAll(".alert_details pre").forEach(rule => { rule.style.display = "none"; });
	return true;
})()`

// bottom is how tall the page's body is.
const bottom = `Math.ceil(document.body.getBoundingClientRect().bottom)`

// open starts a Chromium of its own with one tab.
func open(ctx context.Context) (tab context.Context, closeAll func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("%w: apt-get install --no-install-recommends chromium", err)
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(ctx, flags...)
	tab, closeTab := chromedp.NewContext(ctx)
	closeAll = func() { closeTab(); stop() }
	// The browser lives as long as the context that first uses it.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return tab, closeAll, nil
}

// tall is higher than any dashboard: Grafana asks for a panel's data once it
// can be seen.
const tall = 6000

// take takes the picture when nothing on it moves any more.
func (p picture) take(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(p.width, tall), chromedp.Navigate(p.address)); err != nil {
		return nil, fmt.Errorf("opening %s: %w", p.address, err)
	}
	if p.prepare != "" {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](p.prepare)); err != nil {
			return nil, fmt.Errorf("on %s: %w", p.address, err)
		}
	}
	height, err := p.settled(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for %s to be complete: %w", p.address, err)
	}
	if p.most > 0 {
		height = min(height, p.most)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(p.width, height)); err != nil {
		return nil, err
	}
	if _, err := p.settled(ctx); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// settled waits until the page has had its height for a while.
func (p picture) settled(ctx context.Context) (height int64, err error) {
	const enough = 6
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for same := 0; same < enough; {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
		now, err := chromedp.Run(ctx, chromedp.Evaluate[int64](p.height))
		switch {
		case err != nil:
			return 0, err
		case now == 0 || now != height:
			height, same = now, 0
		default:
			same++
		}
	}
	return height, nil
}

// save writes a picture with a palette: these pages have few colours, and a
// quarter of the bytes does.
func save(ctx context.Context, path string, taken []byte) error {
	var small, said bytes.Buffer
	cmd := exec.CommandContext(ctx, "pngquant", "--speed=1", "--strip", "256", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(taken), &small, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pngquant (apt-get install --no-install-recommends pngquant): %w: %s", err, said.String())
	}
	return os.WriteFile(path, small.Bytes(), 0o644)
}
