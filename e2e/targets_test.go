package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/reader"
)

type labels map[string]string

func (l labels) without(names ...string) labels {
	rest := maps.Clone(l)
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// series is what distinguishes a time series: Prometheus drops all others.
func (l labels) series() labels {
	kept := labels{}
	for name, value := range l {
		if !strings.HasPrefix(name, "__") {
			kept[name] = value
		}
	}
	return kept
}

// readTargets parses a file_sd file as strictly as Prometheus does, and then
// some: by address, each once, and never null.
func readTargets(path string) (map[string]labels, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	targets, err := parseTargets(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", path, err, content)
	}
	return targets, nil
}

func parseTargets(content []byte) (map[string]labels, error) {
	read, err := reader.Targets(content)
	if err != nil {
		return nil, err
	}
	targets := make(map[string]labels, len(read))
	for address, l := range read {
		targets[address] = l
	}
	return targets, nil
}

// fileHas checks that the file lists exactly these targets with these series
// labels; __meta_ labels may be anything.
func fileHas(path string, want map[string]labels) error {
	targets, err := readTargets(path)
	if err != nil {
		return err
	}
	got := map[string]labels{}
	for address, l := range targets {
		got[address] = l.series()
	}
	if err := sameTargets(got, want); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// fileLabel checks one label of one target in the file.
func fileLabel(path, address, name, want string) error {
	targets, err := readTargets(path)
	if err != nil {
		return err
	}
	l, ok := targets[address]
	if !ok {
		return fmt.Errorf("%s does not list %s", path, address)
	}
	if l[name] != want {
		return fmt.Errorf("%s has %s=%q for %s, want %q", path, name, l[name], address, want)
	}
	return nil
}

// sameTargets says what differs, one line per target.
func sameTargets(got, want map[string]labels) error {
	var differences []string
	for _, address := range slices.Sorted(maps.Keys(want)) {
		l, ok := got[address]
		switch {
		case !ok:
			differences = append(differences, "missing "+address)
		case !maps.Equal(l, want[address]):
			differences = append(differences, fmt.Sprintf("%s has %v, want %v", address, l, want[address]))
		}
	}
	for _, address := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[address]; !ok {
			differences = append(differences, fmt.Sprintf("unexpected %s %v", address, got[address]))
		}
	}
	if differences != nil {
		return errors.New(strings.Join(differences, "\n"))
	}
	return nil
}

var httpClient = &http.Client{Timeout: 10 * time.Second}

func httpAsk(method, url string) (int, []byte, error) {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
