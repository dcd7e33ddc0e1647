package newfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// cannot is a way that a file system does not know.
func cannot(_, _ string) error { return errors.ErrUnsupported }

// everyWay are the ways with those before it missing, as on file systems without hard links, and without a
// rename that keeps what is there.
func everyWay() map[string][]way {
	return map[string][]way{"hard link": {link}, "rename": {cannot, renameNew}, "neither": {cannot, cannot, reserve}}
}

// A name that is taken is never taken over, on no kind of file system; a name that is free is given to the whole file.
func TestNothingIsReplaced(t *testing.T) {
	for name, ways := range everyWay() {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		read := func(path string) string {
			b, err := os.ReadFile(path)
			if err != nil {
				return err.Error()
			}
			return string(b)
		}
		write(from, "new")
		write(to, "old")
		if err := publish(from, to, ways...); !errors.Is(err, fs.ErrExist) || read(to) != "old" || read(from) != "new" {
			t.Errorf("%s: %v, %q and %q", name, err, read(to), read(from))
		}
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
		if err := publish(from, to, ways...); err != nil || read(to) != "new" {
			t.Errorf("%s: %v, %q", name, err, read(to))
		}
	}
}

// Of many that want one name at once, on any kind of file system, exactly one gets it, and its file is whole.
func TestOneOfManyGetsTheName(t *testing.T) {
	for name, ways := range everyWay() {
		dir := t.TempDir()
		to := filepath.Join(dir, "to")
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			from := filepath.Join(dir, string(rune('a'+i)))
			if err := os.WriteFile(from, []byte{byte('a' + i)}, 0o600); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { errs[i] = publish(from, to, ways...) })
		}
		wg.Wait()
		got := -1
		for i, err := range errs {
			switch {
			case err == nil && got < 0:
				got = i
			case !errors.Is(err, fs.ErrExist):
				t.Errorf("%s, %d: %v", name, i, err)
			}
		}
		if b, err := os.ReadFile(to); err != nil || got < 0 || string(b) != string(rune('a'+got)) {
			t.Errorf("%s: %d has the name, the file is of %q (%v)", name, got, b, err)
		}
	}
}

// What fails leaves nothing behind, and says why.
func TestFailureLeavesNothing(t *testing.T) {
	dir, reason := t.TempDir(), errors.New("no answer")
	to := filepath.Join(dir, "to")
	if err := Write(to, func(f *os.File) error { _, err := f.WriteString("half"); return errors.Join(err, reason) }); !errors.Is(err, reason) {
		t.Errorf("%v", err)
	}
	if err := publish(filepath.Join(dir, "missing"), to, cannot, cannot, reserve); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := publish(filepath.Join(dir, "missing"), to, cannot); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := Write(to, func(f *os.File) error { _, err := f.WriteString("whole"); return err }); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "to" {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := Write(to, func(*os.File) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
}
