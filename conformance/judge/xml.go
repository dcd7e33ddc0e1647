package judge

import (
	"context"
	"path/filepath"
	"strings"
	"time"
)

// XMLLint runs xmllint: the document is well-formed. Nothing is fetched.
func XMLLint(ctx context.Context, file string) (Verdict, error) {
	t, err := Find(ctx, "xmllint", "--version")
	if err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	out, err := t.run(ctx, "--noout", "--nonet", file)
	said := words(out, "error", "warning")
	if err == nil {
		said = "well-formed"
	}
	return Verdict{"xmllint", t.version, err == nil && strings.TrimSpace(out) == "", said, time.Since(start)}, nil
}

// XMLSec runs xmlsec1: the references' digests, the value, and a chain to the root. Which
// attributes identify is told to it by element, so that no other could be meant. Files that a detached signature names
// must be in its folder. It knows no properties of XAdES but as data, and no time-stamps.
func XMLSec(ctx context.Context, file, root string) (Verdict, error) {
	t, err := Find(ctx, "xmlsec1", "--version")
	if err != nil {
		return Verdict{}, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	t.dir = filepath.Dir(file)
	out, err := t.run(ctx, "--verify", "--enabled-key-data", "x509", "--trusted-pem", root,
		"--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", filepath.Base(file))
	ok := err == nil && strings.Contains(out, "OK")
	return Verdict{"xmlsec1 --verify", t.version, ok, words(out, "OK", "FAIL", "References", "Error", "error"), time.Since(start)}, nil
}
