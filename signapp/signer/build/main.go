// Command build writes the browser code of the signer's app into
// signapp/signer/dist: our own part, which is committed, and the document
// frame with pdf.js, which is not.
//
//	go run ./signapp/signer/build            # both; needs npm ci --ignore-scripts before
//	go run ./signapp/signer/build -ours      # our own part only, needs nothing
package main

import (
	"flag"
	"fmt"
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
		if err := os.RemoveAll(filepath.Join(dir, "dist", "pdfjs")); err != nil {
			return err
		}
	}
	for _, name := range files.Names() {
		path := filepath.Join(dir, "dist", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d files written to %s\n", len(files), filepath.Join(dir, "dist"))
	return nil
}
