//go:build ci

package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// run runs a command and returns what it printed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// one is the only file in a directory that a pattern matches.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, dir, found, err)
	}
	return found[0]
}

// Both architectures' packages are built, this machine's once more elsewhere,
// and the next version of it, as a release is made. Then they are lived with.
func TestPackages(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test boots systemd in namespaces of its own, which needs root")
	}
	arch, first, second, next := runtime.GOARCH, t.TempDir(), t.TempDir(), t.TempDir()
	run(t, "..", nil, "packaging/build", first)
	stamp := []string{
		"REVISION=" + run(t, "..", nil, "git", "rev-parse", "HEAD"),
		"BRANCH=" + run(t, "..", nil, "git", "rev-parse", "--abbrev-ref", "HEAD"),
		"SOURCE_DATE_EPOCH=" + run(t, "..", nil, "git", "log", "-1", "--format=%ct"),
	}
	copied := t.TempDir()
	run(t, "..", nil, "bash", "-c", `git ls-files -z | xargs -0 cp --parents -t "$1"`, "copy", copied)
	run(t, copied, stamp, "packaging/build", second, arch)
	nextVersion(t, copied)
	run(t, copied, stamp, "packaging/build", next, arch)

	t.Run("reproducible", func(t *testing.T) { reproducible(t, first, second) })
	t.Run("version", func(t *testing.T) { versions(t, filepath.Join(first, "linux-"+arch, "mcp-sd"), stamp) })
	t.Run("changelog", func(t *testing.T) { changelogs(t, next) })
	t.Run("lint", func(t *testing.T) {
		t.Log(run(t, first, nil, "lintian", "--allow-root", "--fail-on", "error,warning", one(t, first, "*_"+arch+".deb")))
	})
	t.Run("deb", func(t *testing.T) { live(t, "deb", one(t, first, "*_"+arch+".deb"), one(t, next, "*.deb")) })
	t.Run("rpm", func(t *testing.T) { live(t, "rpm", one(t, first, "*."+rpmArch(arch)+".rpm"), one(t, next, "*.rpm")) })
	t.Run("foreign", func(t *testing.T) { foreign(t, first) })
	t.Run("container", func(t *testing.T) { container(t, first) })
}

// rpmArch is how rpm calls an architecture.
func rpmArch(arch string) string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
}

// nextVersion makes of a copy of the repository what would be released next.
func nextVersion(t *testing.T, copied string) {
	t.Helper()
	version := strings.TrimSpace(read(t, copied, "VERSION"))
	write(t, copied, "VERSION", "99.0.0\n")
	log := read(t, copied, "CHANGELOG.md")
	released := strings.Replace(log, "## [Unreleased] - "+version, "## [Unreleased] - 99.0.0\n\n### Fixed\n\n- A `thing` that [somebody](https://mcp-sd.invalid) saw.\n\n## ["+version+"] - 2026-01-02", 1)
	if log == released {
		t.Fatalf("CHANGELOG.md has no section [Unreleased] - %s", version)
	}
	write(t, copied, "CHANGELOG.md", released)
	write(t, copied, "packaging/mcp-sd.yml", read(t, copied, "packaging/mcp-sd.yml")+"# another default\n")
}

// Built twice, in two places, everything has the same bytes.
func reproducible(t *testing.T, first, second string) {
	all := strings.Split(read(t, first, "SHA256SUMS"), "\n")
	again := strings.Split(strings.TrimSpace(read(t, second, "SHA256SUMS")), "\n")
	if len(again) != 4 {
		t.Errorf("a build for one architecture makes .deb, .rpm, binary and notes: %q", again)
	}
	for _, sum := range again {
		if !slices.Contains(all, sum) {
			t.Errorf("built elsewhere it is another one: %s\n%s", sum, strings.Join(all, "\n"))
		}
	}
}

// The program says what it is as Prometheus does, line by line (contract §2).
func versions(t *testing.T, program string, stamp []string) {
	revision, branch := strings.TrimPrefix(stamp[0], "REVISION="), strings.TrimPrefix(stamp[1], "BRANCH=")
	want := strings.Join([]string{
		"mcp-sd, version " + strings.TrimSpace(read(t, "..", "VERSION")) + " (branch: " + branch + ", revision: " + revision + ")",
		"  build user:       packaging/build",
		"  build date:       " + run(t, "", nil, "date", "-u", "-d", "@"+strings.TrimPrefix(stamp[2], "SOURCE_DATE_EPOCH="), "+%Y%m%d-%H:%M:%S"),
		"  go version:       " + runtime.Version(),
		"  platform:         " + runtime.GOOS + "/" + runtime.GOARCH,
		"  tags:             unknown",
	}, "\n")
	if got := run(t, "", nil, program, "--version"); got != want {
		t.Errorf("mcp-sd --version prints\n%s\nwant\n%s", got, want)
	}
}

// CHANGELOG.md is what the release and the packages say has changed.
func changelogs(t *testing.T, dir string) {
	if got, want := read(t, dir, "NOTES.md"), "### Fixed\n\n- A `thing` that [somebody](https://mcp-sd.invalid) saw.\n"; got != want {
		t.Errorf("the release's notes are %q, want %q", got, want)
	}
	rpm := run(t, dir, nil, "rpm", "-qp", "--changelog", one(t, dir, "*.rpm"))
	for _, want := range []string{" - 99.0.0-1\n- Fixed: A thing that somebody saw.\n", "* Fri Jan 02 2026 The mcp-sd authors <", " - 0.1.0-1\n- Added: Sources static ("} {
		if !strings.Contains(rpm, want) {
			t.Errorf("rpm -q --changelog lacks %q:\n%s", want, rpm)
		}
	}
	run(t, dir, nil, "dpkg-deb", "-x", one(t, dir, "*.deb"), "tree")
	deb := run(t, dir, nil, "bash", "-c", "zcat tree/usr/share/doc/mcp-sd/changelog.gz | dpkg-parsechangelog --all -l -")
	for _, want := range []string{"Version: 99.0.0\n", "   * Fixed: A thing that somebody saw.\n", " mcp-sd (0.1.0) unstable; urgency=medium\n"} {
		if !strings.Contains(deb, want) {
			t.Errorf("Debian's tools read no %q:\n%s", want, deb)
		}
	}
	// A version that nobody wrote about is not released.
	unknown := exec.CommandContext(t.Context(), "./changelog", "notes", "98.0.0")
	if out, err := unknown.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("no section of 98.0.0")) {
		t.Errorf("%v: %v\n%s", unknown, err, out)
	}
}

// From installation to purge a package keeps what is the operator's:
// testdata/deb.sh, testdata/rpm.sh. The machine's own /tmp is seen in there.
func live(t *testing.T, kind, pkg, next string) {
	script := write(t, t.TempDir(), "script", kind+"="+pkg+"\nnext="+next+"\n"+read(t, "testdata", kind+".sh"))
	t.Log(run(t, "..", nil, "docs/testdata/booted.sh", script))
}
