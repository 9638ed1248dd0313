// Command pictures takes those pictures of the README that show other people's
// programs: the dashboards in Grafana, and an alert in Prometheus. It takes
// what runs already:
//
//	go -C e2e run ./pictures -grafana http://127.0.0.1:3000
//	go -C e2e run ./pictures -prometheus http://127.0.0.1:9090
//
// Grafana has the files of examples/grafana, and lets anybody look
// (GF_AUTH_ANONYMOUS_ENABLED=true). Prometheus is the quick start's, Debian's
// version with its pages below /classic, while an alert fires. Pages are looked
// at in Chromium until nothing loads any more, and saved with as many colours
// as a palette has, by pngquant.
//
// The caveat: its tests look at a page that is built as Grafana's are, because
// there is no Grafana to test with. And pictures show what is there: let the
// fleet run for longer than -from before.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() { os.Exit(run()) }

// A picture is one view of one page.
type picture struct {
	file    string
	address string
	prepare string // JavaScript: what to click before looking
	height  string // JavaScript: how tall what it shows is, 0 while it loads
	width   int64
	most    int64 // of the height; 0: all of it
}

// options are the command line.
type options struct {
	grafana    string
	prometheus string
	dir        string
	from       string
	whole      bool
}

func run() int {
	var o options
	flag.StringVar(&o.grafana, "grafana", "", "address of a Grafana")
	flag.StringVar(&o.prometheus, "prometheus", "", "address of a Prometheus")
	flag.StringVar(&o.dir, "dir", "../docs", "where the pictures go")
	flag.StringVar(&o.from, "from", "now-30m", "the beginning of the time that dashboards show")
	flag.BoolVar(&o.whole, "whole", false, "dashboards from top to bottom, dark and light: to look at, not for the README")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.take(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		return 1
	}
	return 0
}

// pictures are those that can be taken with the addresses that were given.
func (o options) pictures() (all []picture) {
	switch {
	case o.grafana == "":
	case o.whole:
		for _, uid := range []string{"mcp-fleet", "mcp-sd"} {
			for _, theme := range []string{"dark", "light"} {
				all = append(all, o.dashboard(uid+"-"+theme+".png", uid, theme, 0))
			}
		}
	default:
		all = append(all, o.dashboard("grafana-fleet.png", "mcp-fleet", "dark", 1240), o.dashboard("grafana-mcp-sd.png", "mcp-sd", "light", 975))
	}
	if o.prometheus != "" {
		all = append(all, picture{"prometheus-alert.png", o.prometheus + "/classic/alerts", firing, bottom, 1280, 0})
	}
	return all
}

func (o options) dashboard(file, uid, theme string, most int64) picture {
	return picture{file, fmt.Sprintf("%s/d/%s?theme=%s&from=%s&to=now", o.grafana, uid, theme, o.from), "", drawn, 1600, most}
}

// take takes all pictures, and says which could not be taken.
func (o options) take(ctx context.Context) error {
	wanted := o.pictures()
	if len(wanted) == 0 {
		return errors.New("of what? give -grafana or -prometheus")
	}
	ctx, closeBrowser, err := open(ctx)
	if err != nil {
		return err
	}
	defer closeBrowser()
	var errs []error
	for _, p := range wanted {
		path := filepath.Join(o.dir, p.file)
		taken, err := p.take(ctx)
		if err == nil {
			err = save(ctx, path, taken)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		fmt.Println(path)
	}
	return errors.Join(errs...)
}
