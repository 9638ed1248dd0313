//go:build !linux

package main

import "errors"

// take has nothing to offer: only Linux says what a process has.
func take(int) error { return errors.ErrUnsupported }
