//go:build !linux

package secret

import "errors"

var errLinux = errors.New("secret: only Linux can close a process's memory")

// NoDump needs Linux.
func NoDump() error { return errLinux }

// NoSwap needs Linux.
func NoSwap() error { return errLinux }
