package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "renew the pictures of the README")

// largestPicture keeps the repository small.
const largestPicture = 150 << 10

// pictures renews the README's pictures where that was asked for, and otherwise
// sees that they are there.
func (s *shop) pictures(b *browser) {
	for _, p := range []struct {
		name          string
		width, height int64
		scheme, page  string
	}{
		{"status-light.png", 1280, 1000, "light", s.daemon.url + "/"},
		{"status-dark.png", 1280, 720, "dark", s.daemon.url + "/?health=down#targets"},
		{"target.png", 1280, 800, "light", s.target(s.down)},
		{"phone.png", 390, 844, "dark", s.daemon.url + "/?state=held#targets"},
	} {
		path := filepath.Join("..", "docs", p.name)
		if *update {
			b.look(p.width, p.height, p.scheme)
			b.open(p.page)
			b.installed(s)
			picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = save(path, picture)
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			b.t.Errorf("%v: go test -run TestWeb -update", err)
		case info.Size() > largestPicture:
			b.t.Errorf("%s has %d bytes, at most %d", path, info.Size(), largestPicture)
		}
	}
}

// installed shows the test's paths and addresses as those of an installation:
// only pictures have them.
func (b *browser) installed(s *shop) {
	evaluated[bool](b, fmt.Sprintf(`(() => {
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n; (n = walk.nextNode());) n.data = n.data
			.replaceAll(%q, "/etc/prometheus/targets").replaceAll(%q, "/etc/mcp-sd/static")
			.replaceAll(":%d", ":3000").replaceAll("127.0.", "10.0.");
		return true;
	})()`, s.targets, s.static, s.fleet.port))
}

// save writes a picture as small as PNG gets without losing anything.
func save(path string, picture []byte) error {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
