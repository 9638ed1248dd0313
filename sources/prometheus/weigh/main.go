// Command weigh measures what each of Prometheus' discovery mechanisms adds to the
// program: megabytes of the stripped binary, and seconds of processor time to
// compile what the program does not have anyway. It prints a table in Markdown.
//
// Each is built by itself beside a program that has none of them, from a build
// cache that has that program alone. The caveat: what several share is counted
// with each, so that the whole is less than the sum. It takes some twenty minutes
// on two cores.
//
//	go run ./sources/prometheus/weigh >docs/mechanisms.md
//	go run ./sources/prometheus/weigh azure gce
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "weigh:", err)
		os.Exit(1)
	}
}

// weight is what a build is heavy by.
type weight struct {
	tags  string
	bytes int64
	spent time.Duration // of processor time
}

// run weighs the mechanisms of these names, by default all.
func run(ctx context.Context, out io.Writer, names []string) error {
	dir, err := os.MkdirTemp("", "weigh")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if len(names) == 0 {
		if names, err = mechanisms("sources/prometheus/mechanisms"); err != nil {
			return err
		}
	}
	none, err := build(ctx, dir, "none", "remove_all_sd")
	if err != nil {
		return err
	}
	var each []weight
	for _, name := range names {
		w, err := beside(ctx, dir, name, "remove_all_sd,enable_"+name+"_sd")
		if err != nil {
			return err
		}
		w.tags = name
		each = append(each, w)
	}
	all, err := beside(ctx, dir, "all", "")
	if err != nil {
		return err
	}
	slices.SortStableFunc(each, func(a, b weight) int { return int(b.bytes - a.bytes) })
	_, err = io.WriteString(out, table(none, all, each))
	return err
}

// mechanisms are the names in the build tags: those of the files.
func mechanisms(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no mechanisms in %s: run it in the module's own directory (%w)", dir, err)
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".go"); name != "doc" && !strings.HasSuffix(name, "_test") {
			names = append(names, name)
		}
	}
	return names, nil
}

// beside builds with a copy of the build cache of none.
func beside(ctx context.Context, dir, name, tags string) (weight, error) {
	cache := filepath.Join(dir, name)
	defer os.RemoveAll(cache)
	if err := link(filepath.Join(dir, "none"), cache); err != nil {
		return weight{}, fmt.Errorf("copying the build cache: %w", err)
	}
	return build(ctx, dir, name, tags)
}

// link copies a directory by hard links.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}

// build builds the program with a build cache of that name.
func build(ctx context.Context, dir, name, tags string) (weight, error) {
	binary := filepath.Join(dir, "binary")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags="+tags, "-o", binary, ".")
	cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(dir, name))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return weight{}, fmt.Errorf("building with -tags=%s: %w", tags, err)
	}
	fi, err := os.Stat(binary)
	if err != nil {
		return weight{}, err
	}
	w := weight{tags, fi.Size(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	fmt.Fprintf(os.Stderr, "%s: %.1f MB, %.0f s\n", name, mb(w.bytes), w.spent.Seconds())
	return w, nil
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

func table(none, all weight, each []weight) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What each mechanism weighs\n\nMeasured by `go run ./sources/prometheus/weigh` (%s, %s/%s): megabytes that it adds to the stripped binary, and seconds of processor time to compile what the program does not have anyway. What several share is counted with each.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	b.WriteString("| mechanism (the name in its build tag) | MB | s |\n|---|---:|---:|\n")
	for _, w := range each {
		fmt.Fprintf(&b, "| `%s` | %.1f | %.0f |\n", w.tags, mb(w.bytes-none.bytes), w.spent.Seconds())
	}
	fmt.Fprintf(&b, "| all of them, as built by default | %.1f | %.0f |\n", mb(all.bytes-none.bytes), all.spent.Seconds())
	fmt.Fprintf(&b, "\nThe whole binary has %.1f MB with none of them (`-tags=remove_all_sd`; `http_sd_configs` is always there) and %.1f MB with all; compiling it took %.0f s with none.\n", mb(none.bytes), mb(all.bytes), none.spent.Seconds())
	return b.String()
}
