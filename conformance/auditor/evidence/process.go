package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkProcess looks at measurements of the process: nothing leaks (I7: at the
// end within 5 % of the beginning, and one more than that where 5 % is less than
// one), and memory and time stay under their bounds (I9).
func (c *Case) checkProcess() {
	var base, end *Sample
	for i, s := range c.samples {
		switch s.Phase {
		case "base":
			base = &c.samples[i]
		case "end":
			end = &c.samples[i]
		}
		if c.MaxRSS > 0 && s.RSS > c.MaxRSS {
			c.find(0, "I9", fmt.Sprintf("sample %d", i), "%d KiB of memory, the bound is %d", s.RSS, c.MaxRSS)
		}
		if c.MaxCPU > 0 && s.CPU > c.MaxCPU {
			c.find(0, "I9", fmt.Sprintf("sample %d", i), "%d ms of processor time, the bound is %d", s.CPU, c.MaxCPU)
		}
	}
	if base == nil || end == nil {
		return
	}
	grown := func(a, b int64) bool { return b > a+max(a/20, 1) }
	if grown(base.FDs, end.FDs) {
		c.find(0, "I7", "files", "%d open at first, %d at the end", base.FDs, end.FDs)
	}
	if grown(base.Tasks, end.Tasks) {
		c.find(0, "I7", "threads", "%d at first, %d at the end", base.Tasks, end.Tasks)
	}
}

// maxScan bounds a file that is searched for canaries.
const maxScan = 256 << 20

// checkCanaries looks for planted secrets in everything that a module writes for
// others to see (I6, comparison 9).
func (c *Case) checkCanaries() error {
	if len(c.Canaries) == 0 {
		return nil
	}
	for _, root := range c.Scan {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if info, err := d.Info(); err != nil || info.Size() > maxScan {
				return errors.Join(fmt.Errorf("%s cannot be searched or is too large", path), err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, secret := range c.Canaries {
				if bytes.Contains(b, []byte(secret)) {
					c.find(9, "I6", path, "it contains planted secret %d", i)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	return nil
}
