//go:build !linux

package main

import (
	"errors"
	"os"
)

// terminal has nothing to offer: mcp-sd then prints no summary.
func terminal() (outside, inside *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}
