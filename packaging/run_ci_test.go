//go:build ci

package packaging

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fleet is one server that answers with metrics; configured returns what finds it.
func fleet(t *testing.T) (address string, configured func(targets string) string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `mcp_build_info{version="v1.2.3"} 1`)
	}))
	t.Cleanup(s.Close)
	address = strings.TrimPrefix(s.URL, "http://")
	return address, func(targets string) string {
		return write(t, t.TempDir(), "mcp-sd.yml", fmt.Sprintf(`
sources: [{name: racks, static: {targets: [{targets: [%q], labels: {environment: production}}]}}]
outputs: [{path: %q}]
`, address, targets+"/mcp-{environment}.json"))
	}
}

// found checks that a pass has probed the server and written it down.
func found(t *testing.T, targets, address string) {
	t.Helper()
	written := read(t, targets, "mcp-production.json")
	for _, want := range []string{address, `"version": "v1.2.3"`, `"__meta_mcp_sd_health": "up"`} {
		if !strings.Contains(written, want) {
			t.Errorf("the file lacks %s:\n%s", want, written)
		}
	}
}

// The other architecture's package has the same files but for the program, which
// runs: emulated, it makes a pass.
func foreign(t *testing.T, dir string) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	own, trees := filepath.Join(t.TempDir(), "own"), filepath.Join(t.TempDir(), "other")
	run(t, dir, nil, "dpkg-deb", "-R", one(t, dir, "*_"+runtime.GOARCH+".deb"), own)
	run(t, dir, nil, "dpkg-deb", "-R", one(t, dir, "*_"+other+".deb"), trees)
	differ := strings.Fields(run(t, "", nil, "bash", "-c", `diff -rq --no-dereference "$1" "$2" | sed "s#^Files $1/\(.*\) and .*#\1#"; diff <(cd "$1" && find . -printf '%M %u:%g %p\n' | sort) <(cd "$2" && find . -printf '%M %u:%g %p\n' | sort)`, "differ", own, trees))
	if diff := cmp.Diff([]string{"DEBIAN/control", "DEBIAN/md5sums", "usr/bin/mcp-sd"}, differ); diff != "" {
		t.Errorf("the packages differ elsewhere (-want +got):\n%s", diff)
	}
	for name, may := range map[string][]string{"DEBIAN/control": {"Architecture:", "Installed-Size:"}, "DEBIAN/md5sums": {"usr/bin/mcp-sd"}} {
		mine, others := strings.Split(read(t, own, name), "\n"), strings.Split(read(t, trees, name), "\n")
		for _, line := range others {
			excused := slices.ContainsFunc(may, func(m string) bool { return strings.Contains(line, m) })
			if !excused && !slices.Contains(mine, line) {
				t.Errorf("%s of %s has the line %q, that of %s does not", name, other, line, runtime.GOARCH)
			}
		}
	}
	list := func(arch string) string {
		return run(t, dir, nil, "rpm", "-qp", "--scripts", "--requires", "--qf", "[%{FILEMODES:perms} %{FILENAMES} %{FILEFLAGS}\n]", one(t, dir, "*."+rpmArch(arch)+".rpm"))
	}
	if diff := cmp.Diff(list(runtime.GOARCH), list(other)); diff != "" {
		t.Errorf("the .rpm packages differ:\n%s", diff)
	}

	qemu := "qemu-" + rpmArch(other) + "-static"
	program := filepath.Join(trees, "usr/bin/mcp-sd")
	if got := run(t, "", nil, qemu, program, "--version"); !strings.Contains(got, "platform:         linux/"+other) {
		t.Errorf("%s --version prints\n%s", program, got)
	}
	address, configured := fleet(t)
	targets := t.TempDir()
	run(t, "", nil, qemu, program, "--once", "--config.file="+configured(targets), "--state.path="+t.TempDir())
	found(t, targets, address)
}

// The container is built, has nothing in it but the program and what volumes are
// mounted on, and makes a pass with a read-only root: testdata/container.sh.
func container(t *testing.T, dir string) {
	storage := t.TempDir()
	buildah := func(args ...string) string {
		t.Helper()
		return run(t, dir, nil, "buildah", append([]string{"--root=" + storage + "/root", "--runroot=" + storage + "/run", "--storage-driver=vfs"}, args...)...)
	}
	file, err := filepath.Abs("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	buildah("bud", "--quiet", "--isolation=chroot", "--file="+file, "--build-arg=TARGETARCH="+runtime.GOARCH, "--tag=mcp-sd", ".")
	name := buildah("from", "--isolation=chroot", "mcp-sd")
	if got := buildah("run", "--isolation=chroot", name, "--", "/mcp-sd", "--version"); !strings.HasPrefix(got, "mcp-sd, version ") {
		t.Errorf("in the container, mcp-sd --version prints\n%s", got)
	}
	if got, want := buildah("inspect", "--format={{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Volumes}}", name), "65532:65532 [/mcp-sd] map[/var/lib/mcp-sd:{}]"; got != want {
		t.Errorf("the image's configuration is %s, want %s", got, want)
	}

	// A fresh one, since running has put files into that.
	root := buildah("mount", buildah("from", "mcp-sd"))
	if got, want := run(t, root, nil, "find", ".", "-type", "f", "-printf", "%m %P"), "755 mcp-sd"; got != want {
		t.Errorf("the files in the image are %q, want %q", got, want)
	}
	address, configured := fleet(t)
	targets := t.TempDir()
	env := []string{"root=" + root, "targets=" + targets, "config=" + configured("/etc/prometheus/targets")}
	listed := run(t, ".", env, "unshare", "--mount", "--propagation=private", "bash", "-eux", "testdata/container.sh")
	for _, want := range []string{"65532:65532:644 " + root + "/etc/prometheus/targets/mcp-production.json", "65532:65532:600 " + root + "/var/lib/mcp-sd/state.json"} {
		if !strings.Contains(listed, want) {
			t.Errorf("the pass leaves no %q:\n%s", want, listed)
		}
	}
	found(t, targets, address)
	buildah("rm", "--all")
}
