// Package reader reads file_sd files as the tests of the whole do: more
// strictly than Prometheus.
package reader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Targets returns the labels of each target by its address. What follows the
// array, a field that file_sd does not have, null, and an address that is
// listed twice are errors.
func Targets(content []byte) (map[string]map[string]string, error) {
	var groups []struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&groups); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the array")
	}
	if groups == nil {
		return nil, errors.New("null instead of an array")
	}
	targets := map[string]map[string]string{}
	for _, group := range groups {
		for _, address := range group.Targets {
			if _, twice := targets[address]; twice {
				return nil, fmt.Errorf("%s is there twice", address)
			}
			targets[address] = group.Labels
		}
	}
	return targets, nil
}
