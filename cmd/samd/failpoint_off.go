//go:build !failpoints

package main

import (
	"log/slog"

	"github.com/assent-sign/assent/sam"
)

// failpoint is nothing in every binary that is delivered.
func failpoint(*slog.Logger) func(sam.Step) { return nil }
