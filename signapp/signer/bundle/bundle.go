// Package bundle makes the browser code of the signer's app from its
// TypeScript with esbuild, in memory. Two callers want the same bytes: the
// build program, which writes them into dist, and the test that holds the
// committed dist against its source. It is not linked into any server.
package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// ErrBuild wraps what esbuild has to say.
var ErrBuild = errors.New("bundle: build failed")

// ErrNoPDFJS means that the third-party part is not installed.
var ErrNoPDFJS = errors.New("bundle: pdf.js is not installed; run: npm ci --ignore-scripts (in signapp/signer)")

// Files are files by their path below dist, with forward slashes.
type Files map[string][]byte

// Names returns the paths in order.
func (f Files) Names() []string {
	out := make([]string, 0, len(f))
	for n := range f {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// App builds what is ours and committed: app.js and the static pages and
// styles. dir is the folder signapp/signer.
func App(dir string) (Files, error) {
	out := Files{}
	js, err := script(filepath.Join(dir, "ts", "main.ts"), api.FormatIIFE, api.PlatformBrowser, false)
	if err != nil {
		return nil, err
	}
	out["app.js"] = js
	return out, addFolder(out, "", filepath.Join(dir, "static"))
}

// Viewer builds the document frame's script with pdf.js inside and collects
// its data (fonts, character maps, image decoders, licences). None of it is
// committed.
func Viewer(dir string) (Files, error) {
	lib := filepath.Join(dir, "node_modules", "pdfjs-dist")
	if _, err := os.Stat(lib); err != nil {
		return nil, ErrNoPDFJS
	}
	out := Files{}
	js, err := script(filepath.Join(dir, "ts", "viewer.ts"), api.FormatIIFE, api.PlatformBrowser, true)
	if err != nil {
		return nil, err
	}
	out["pdfjs/viewer.js"] = js
	for _, d := range []string{"cmaps", "standard_fonts", "wasm"} {
		if err := addFolder(out, "pdfjs/"+d+"/", filepath.Join(lib, d)); err != nil {
			return nil, err
		}
	}
	for name := range out {
		// Script fallbacks and the engine for scripts inside documents have no use here.
		if strings.HasPrefix(name, "pdfjs/wasm/") && (strings.HasSuffix(name, ".js") || strings.Contains(name, "quickjs")) {
			delete(out, name)
		}
	}
	licence, err := os.ReadFile(filepath.Join(lib, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	out["pdfjs/LICENSE"] = licence
	return out, nil
}

// Tests builds the unit tests into one module for node.
func Tests(dir string) ([]byte, error) {
	return script(filepath.Join(dir, "ts", "test", "all.test.ts"), api.FormatESModule, api.PlatformNode, false)
}

func script(entry string, format api.Format, platform api.Platform, minify bool) ([]byte, error) {
	res := api.Build(api.BuildOptions{
		EntryPoints:       []string{absolute(entry)},
		Bundle:            true,
		Format:            format,
		Platform:          platform,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		MinifyWhitespace:  minify,
		MinifySyntax:      minify,
		AbsWorkingDir:     filepath.Dir(filepath.Dir(absolute(entry))),
		LogLevel:          api.LogLevelSilent,
		TsconfigRaw:       `{"compilerOptions":{"target":"ES2022","strict":true}}`,
		MinifyIdentifiers: minify,
	})
	if len(res.Errors) > 0 {
		m := res.Errors[0]
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
		}
		return nil, fmt.Errorf("%w: %s%s", ErrBuild, where, m.Text)
	}
	return res.OutputFiles[0].Contents, nil
}

func absolute(p string) string {
	if a, err := filepath.Abs(p); err == nil {
		return a
	}
	return p
}

func addFolder(out Files, prefix, dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[prefix+filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBuild, err)
	}
	return nil
}
