package judge

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Drawing is a page as a program draws it, in shades of gray, from the top left.
type Drawing struct {
	W    int    `json:"w"`
	H    int    `json:"h"`
	Gray []byte `json:"gray"`
}

// Drawings are the first pages of a file. A page that could not be drawn has no width, one that is too large to be compared less.
type Drawings struct {
	File  string    `json:"file"`
	Count int       `json:"count"` // pages of the file
	Pages []Drawing `json:"pages"`
	Error string    `json:"error"` // the file could not be opened
}

// Of a drawing: dots per inch, and at most so many pages of a file.
const (
	drawnDPI  = 36
	drawnMost = 3
)

// PDFium draws files, all in one run. root is the repository, where .ci/pyhanko installs it. ErrMissing.
func PDFium(ctx context.Context, root string, files ...string) ([]Drawings, error) {
	python := filepath.Join(root, "var", "pyhanko", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("%w: %s (.ci/pyhanko installs it)", ErrMissing, python)
	}
	args := append([]string{filepath.Join(root, "conformance", "judges", "pdfium_pages.py"), strconv.Itoa(drawnDPI), strconv.Itoa(drawnMost)}, files...)
	return lines[Drawings](ctx, "PDFium", root, python, args...)
}

// MuPDF draws a file. What it cannot draw it leaves out, so that there are fewer pages.
func MuPDF(ctx context.Context, file string) Drawings {
	out, err := exec.CommandContext(ctx, "mutool", "draw", "-q", "-F", "pgm", "-c", "gray", "-r", strconv.Itoa(drawnDPI), "-o", "-", file, fmt.Sprintf("1-%d", drawnMost)).Output()
	d := Drawings{File: file}
	if err != nil {
		d.Error = err.Error()
	}
	for len(out) > 0 {
		var p Drawing
		var most int
		head := bytes.SplitN(out, []byte("\n"), 4)
		if len(head) < 4 {
			break
		}
		if _, err := fmt.Sscanf(string(bytes.Join(head[:3], []byte(" "))), "P5 %d %d %d", &p.W, &p.H, &most); err != nil || p.W < 0 || p.H < 0 || p.W*p.H > len(head[3]) {
			break
		}
		p.Gray, out = head[3][:p.W*p.H], head[3][p.W*p.H:]
		d.Pages = append(d.Pages, p)
	}
	d.Count = len(d.Pages)
	return d
}

// cell is the side of a square in which drawings are compared, in dots: some letters wide.
const cell = 9

// Differs is by how much two drawings of a page differ, in shades of gray (255 is black instead of white), where they do most. Programs
// smooth letters in different ways, and take other fonts for those that are not embedded.
func (p Drawing) Differs(other Drawing) int {
	if p.W < 0 {
		return 0
	}
	if p.W-other.W > 1 || other.W-p.W > 1 || p.H-other.H > 1 || other.H-p.H > 1 {
		return 255
	}
	most := 0
	for y := 0; y+cell <= min(p.H, other.H); y += cell / 2 {
		for x := 0; x+cell <= min(p.W, other.W); x += cell / 2 {
			d := p.shade(x, y) - other.shade(x, y)
			most = max(most, d, -d)
		}
	}
	return most
}

// shade is the mean of a square.
func (p Drawing) shade(x, y int) int {
	sum := 0
	for i := y; i < y+cell; i++ {
		for _, c := range p.Gray[i*p.W+x : i*p.W+x+cell] {
			sum += int(c)
		}
	}
	return sum / (cell * cell)
}
