//go:build foreign

package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
)

// otherwise is by how much a page differs that is drawn otherwise: smoothing and fonts that are not embedded make up to 30.
const otherwise = 40

// ADE-04: wherever PDFium and MuPDF draw a file of the corpus, or one that was made to be drawn in two ways, differently, or find another number of pages
// in it, the worker sees a hazard and "assent verify" warns, unless DIVERGENCES.md says why not.
func TestADE04WhatPDFiumAndMuPDFDrawDifferently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := append(facedFiles(t, dir), corpusFiles(t)...)
	drawn, err := judge.PDFium(t.Context(), testenv.Root(), files...)
	if err != nil {
		t.Fatal(err)
	}
	if len(drawn) != len(files) {
		t.Fatalf("%d of %d files", len(drawn), len(files))
	}
	var all sync.WaitGroup
	turn := make(chan struct{}, 4)
	made, found, forms := 0, 0, 0
	var mu sync.Mutex
	for _, d := range drawn {
		all.Add(1)
		go func() {
			defer all.Done()
			turn <- struct{}{}
			defer func() { <-turn }()
			other := judge.MuPDF(t.Context(), d.File)
			how := unlike(d, other)
			mu.Lock()
			defer mu.Unlock()
			if how == "" {
				return
			}
			if strings.HasPrefix(d.File, dir) {
				made++
			} else {
				found++
			}
			if waits := silent(t, d.File); waits == "form" {
				forms++ // DIVERGENCES.md: fields that wait
			} else if waits != "" {
				t.Errorf("%s: %s, and %s", filepath.Base(d.File), how, waits)
			}
		}()
	}
	all.Wait()
	t.Logf("drawn differently: %d made for it, %d of the corpus, of which %d wait for somebody to fill them in", made, found, forms)
	if made < 12 || found < 3 || forms > 20 {
		t.Errorf("drawn differently: %d made for it, %d of the corpus, %d forms", made, found, forms)
	}
}

// unlike says how two programs differ about a file, "" if they do not, or one of them does not open it.
func unlike(a, b judge.Drawings) string {
	if a.Count == 0 || b.Count == 0 {
		return ""
	}
	if len(a.Pages) != len(b.Pages) {
		return fmt.Sprintf("PDFium draws %d pages, MuPDF %d", len(a.Pages), len(b.Pages))
	}
	for i := range a.Pages {
		if by := a.Pages[i].Differs(b.Pages[i]); by > otherwise {
			return fmt.Sprintf("page %d differs by %d", i+1, by)
		}
	}
	return ""
}

// silent says who says nothing of a file, "form" if it is for fields: they wait for somebody, or those of DIVERGENCES.md.
func silent(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	s, err := pdf.Inspect(bytes.NewReader(b), int64(len(b)), pdf.Limits{})
	if err != nil {
		return "" // nobody signs it
	}
	if len(s.Hazards()) == 0 {
		if s.Fields > 0 || len(s.EmptyFields) > 0 || filepath.Base(file) == "separate-annots-kids-indir.pdf" {
			return "form"
		}
		return "the worker sees no hazard"
	}
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Limits{})
	if err != nil || d.Repaired() || !s.Twofaced && !s.Incomplete && !s.Damaged {
		return "" // it is not signed, called not valid, or has another hazard
	}
	if why, err := d.Faces(d.Size()); err != nil || len(why) == 0 {
		return fmt.Sprintf("verify does not warn: %v", err)
	}
	return ""
}

func corpusFiles(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir(testenv.Corpora(t, "pdf"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".pdf" {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ownFont is a font whose letters are known and which is not in the file: each reader takes its own, and one that has none
// for East Asia draws nothing (DIVERGENCES.md).
const ownFont = "a font of a known collection"

// facedFiles writes the files of twofaced.json, and some with a word changed by chance.
func facedFiles(t *testing.T, dir string) (out []string) {
	t.Helper()
	var v struct {
		Objects    []string
		Odd, Sound []testenv.PageChange
	}
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "internal", "pdf", "testdata", "twofaced.json"))
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	write := func(objects []string) {
		file := filepath.Join(dir, strconv.Itoa(len(out))+".pdf")
		if err := os.WriteFile(file, objectsPDF(objects), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	for _, c := range append(v.Odd, v.Sound...) {
		if c.Name == ownFont {
			continue
		}
		objects := append([]string(nil), v.Objects...)
		for i := range objects {
			objects[i] = c.Made(i+1, objects[i])
		}
		write(objects)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		objects := append([]string(nil), v.Objects...)
		i := chance.IntN(6)
		objects[i] = reworded(chance, objects[i])
		write(objects)
	}
	return out
}

// reworded takes a word away, doubles it, or puts another in its place, in front of a stream's data.
func reworded(chance *rand.Rand, object string) string {
	head, data, stream := strings.Cut(object, "\nstream\n")
	words := strings.Fields(head)
	others := []string{"null", "0", "1", "-1", "2.5", "/Type", "/Kids", "<<", ">>", "[", "]", "3", "5", "R", "(x)", "%\n"}
	switch i := 1 + chance.IntN(len(words)-1); chance.IntN(3) {
	case 0:
		words[i] = ""
	case 1:
		words[i] += " " + words[i]
	default:
		words[i] = others[chance.IntN(len(others))]
	}
	if head = strings.Join(words, " "); stream {
		head += "\nstream\n" + data
	}
	return head
}

// objectsPDF writes objects from number 1, which is the catalog.
func objectsPDF(objects []string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	table := fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for i, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	fmt.Fprintf(&b, "%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", table, len(objects)+1, b.Len())
	return b.Bytes()
}
