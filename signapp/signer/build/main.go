// Command build writes the browser code of the signer's app into
// signapp/signer/dist: our own part, which is committed, and the document
// frame with pdf.js, which is not.
//
//	go run ./signapp/signer/build            # both; needs npm ci --ignore-scripts before
//	go run ./signapp/signer/build -ours      # our own part only, needs nothing
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assent-sign/assent/signapp/signer/bundle"
)

func main() {
	dir := flag.String("dir", "signapp/signer", "folder of the signer's app")
	ours := flag.Bool("ours", false, "build only what is ours and committed")
	flag.Parse()
	if err := run(*dir, *ours); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(dir string, ours bool) error {
	files, err := bundle.App(dir)
	if err != nil {
		return err
	}
	if !ours {
		viewer, err := bundle.Viewer(dir)
		if err != nil {
			return err
		}
		for name, b := range viewer {
			files[name] = b
		}
		if err := removeOthers(dir, files); err != nil {
			return err
		}
	}
	written := 0
	for _, name := range files.Names() {
		path := filepath.Join(dir, "dist", filepath.FromSlash(name))
		// A file that stays as it is keeps its time, and with it the results of tests that depend on it.
		if was, err := os.ReadFile(path); err == nil && bytes.Equal(was, files[name]) {
			continue
		}
		written++
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d files in %s, %d of them changed\n", len(files), filepath.Join(dir, "dist"), written)
	return nil
}

// removeOthers removes what an earlier version of pdf.js left.
func removeOthers(dir string, files bundle.Files) error {
	pdfjs := filepath.Join(dir, "dist", "pdfjs")
	if err := os.MkdirAll(pdfjs, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(pdfjs, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(filepath.Join(dir, "dist"), path)
		if err != nil || files[filepath.ToSlash(name)] != nil {
			return err
		}
		return os.Remove(path)
	})
}
