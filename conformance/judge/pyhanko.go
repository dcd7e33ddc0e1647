package judge

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// PyHankoVerdict is what pyHanko says of one signature of a PDF file.
type PyHankoVerdict struct {
	File       string `json:"file"`
	Field      string `json:"field"`
	Indication string `json:"indication"` // of EN 319 102-1: "PASSED", "INDETERMINATE", "FAILED"; or "CHANGED" afterwards, as is not allowed
	Sub        string `json:"sub"`        // sub-indication, empty for a pass
	Stamps     int    `json:"stamps"`     // document time-stamps in the file
	Stamped    bool   `json:"stamped"`    // those prove the time at which the validation data existed
	Words      string `json:"words"`
	Error      string `json:"error"` // the file could not be judged
}

// PyHanko asks pyHanko about PDF files, all in one run, off line, by the process for signatures with long-term
// data if there are document time-stamps (EN 319 102-1, 5.6.3), else for signatures with time (5.5), and the basic one (5.3) of a signature without a time-stamp. Revocation data is demanded unless the level carries none. root is the repository, where
// .ci/pyhanko installs it. ErrMissing.
func PyHanko(ctx context.Context, root, anchor string, noRevocation bool, files ...string) ([]PyHankoVerdict, error) {
	python := filepath.Join(root, "var", "pyhanko", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("%w: %s (.ci/pyhanko installs it)", ErrMissing, python)
	}
	mode := "require"
	if noRevocation {
		mode = "soft-fail"
	}
	return lines[PyHankoVerdict](ctx, "pyHanko", root, python, append([]string{filepath.Join(root, "conformance", "judges", "pyhanko_judge.py"), mode, anchor}, files...)...)
}
