package signer

import (
	"embed"
	"errors"
	"io/fs"
)

// dist holds what the build program writes. Our own part is committed; the
// folder pdfjs is there only where the build had pdf.js.
//
//go:embed all:dist
var dist embed.FS

// ErrNoViewer means that this binary was built without the document frame.
var ErrNoViewer = errors.New("signer: the document viewer is not in this binary; run: make assets, and build again")

// ours are the files without which there is no app.
var ours = []string{"index.html", "app.js", "app.css", "icon.svg", "viewer.html", "viewer.css"}

// theirs are the files without which documents cannot be shown.
var theirs = []string{"pdfjs/viewer.js", "pdfjs/LICENSE", "pdfjs/standard_fonts/LiberationSans-Regular.ttf", "pdfjs/wasm/openjpeg.wasm"}

// Assets returns the embedded files.
func Assets() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

// HasViewer tells whether the document frame is complete in files.
func HasViewer(files fs.FS) bool { return complete(files, theirs) == nil }

func complete(files fs.FS, names []string) error {
	for _, n := range names {
		if st, err := fs.Stat(files, n); err != nil || st.Size() == 0 {
			return errors.New(n)
		}
	}
	return nil
}
