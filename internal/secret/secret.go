// Package secret has bytes that do not show themselves: not in fmt, not in
// slog, not in JSON or YAML. An attacker who gets logs, error texts or a status
// page must find nothing in them that helps (I6, T26, KPR-10).
package secret

import (
	"fmt"
	"log/slog"
)

// Redacted is what a secret prints as.
const Redacted = "[redacted]"

// Bytes holds a secret. Copies share the same memory, so one Wipe clears all.
type Bytes struct {
	b []byte
}

// New takes over b; the caller must not keep it.
func New(b []byte) Bytes { return Bytes{b: b} }

// Reveal returns the secret itself, not a copy. The name is long enough to be
// found in a review.
func (s Bytes) Reveal() []byte { return s.b }

// Len returns the number of bytes.
func (s Bytes) Len() int { return len(s.b) }

// Wipe overwrites the secret.
func (s Bytes) Wipe() { clear(s.b) }

// String implements fmt.Stringer.
func (Bytes) String() string { return Redacted }

// Format implements fmt.Formatter, so that no verb (%x, %#v) reaches the bytes.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue implements slog.LogValuer.
func (Bytes) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use too.
func (Bytes) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
