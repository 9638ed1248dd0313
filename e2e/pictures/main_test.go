package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each picture is of a dashboard that there is, is in the repository, small,
// and shown by the README.
func TestPictures(t *testing.T) {
	const root = "../../"
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := options{grafana: "http://grafana", prometheus: "http://prometheus", from: "now-1h"}.pictures()
	if len(all) != 3 {
		t.Errorf("%d pictures, want 3", len(all))
	}
	for _, p := range all {
		info, err := os.Stat(filepath.Join(root, "docs", p.file))
		if err != nil || info.Size() > 250<<10 {
			t.Errorf("%s is missing or has more than 250 KiB: %v %v", p.file, info, err)
		}
		if !strings.Contains(string(readme), "](docs/"+p.file+")") {
			t.Errorf("the README does not show %s", p.file)
		}
		uid, ok := strings.CutPrefix(p.address, "http://grafana/d/")
		if uid, _, _ = strings.Cut(uid, "?"); !ok {
			continue
		}
		text, err := os.ReadFile(root + "examples/grafana/dashboards/" + uid + ".json")
		var dashboard struct{ UID string }
		if err == nil {
			err = json.Unmarshal(text, &dashboard)
		}
		if err != nil || dashboard.UID != uid {
			t.Errorf("%s is of %s, which is not there: %v", p.file, uid, err)
		}
	}
}

// page has one panel, as Grafana builds them, that is drawn after a while.
const page = `<body style="margin: 0"><div class="react-grid-item" style="height: 300px"><div class="panel-content"></div><p class="panel-loading"></p></div>
<script>setTimeout(() => {
	document.querySelector(".panel-content").innerHTML = '<canvas width="200" height="200" style="background: #ff0000"></canvas>';
	document.querySelector(".panel-loading").remove();
}, 700)</script>`

func TestWaitsUntilAllIsDrawn(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(page))
	}))
	defer s.Close()
	ctx, closeBrowser, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeBrowser()
	taken, err := picture{address: s.URL, height: drawn, width: 640}.take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(taken))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 640 || size.Y != 308 {
		t.Errorf("it is %v large, want 640 times 308", size)
	}
	if r, g, _, _ := img.At(100, 100).RGBA(); r != 0xffff || g != 0 {
		t.Errorf("the panel is not drawn: %x %x", r, g)
	}
}
