package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

func stamp(t testing.TB, jpg bool) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for x := range 60 {
		for y := range 40 {
			if (x-30)*(x-30)+2*(y-20)*(y-20) < 700 {
				img.Set(x, y, color.NRGBA{0, 90, 180, 255})
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	if jpg {
		b.Reset()
		err = jpeg.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func visible(t testing.TB, in []byte, opt FieldOptions) ([]byte, string) {
	t.Helper()
	tail, name, err := open(t, in).PlanField(opt)
	if err != nil {
		t.Fatalf("PlanField: %v", err)
	}
	return slices.Concat(in, tail), name
}

// D28: a visible signature shows Latin, Greek and Cyrillic text that a reader can
// take out again, in an embedded font; it is part of what is signed, and the
// update that signs is as plain as without it.
func TestD28VisibleSignature(t *testing.T) {
	lines := []string{"Signed by Łucja Ångström", "Υπογράφηκε από Ωμέγα", "Подписал Иван Жуков", "Reason: (a) \\ <b>"}
	for turn := range 4 {
		t.Run(fmt.Sprintf("turned %d", 90*turn), func(t *testing.T) {
			in := bytes.Replace(plainPDF(), []byte("/MediaBox [0 0 200 200]"), fmt.Appendf(nil, "/Rotate %03d /MediaBox [0 0 200 200]", 90*turn), 1)
			in = rebuild(t, in)
			with, name := visible(t, in, FieldOptions{Page: 1, Rect: [4]float64{10, 20, 190, 90}, Lines: lines, Image: stamp(t, turn%2 == 1)})
			qpdfClean(t, with)
			opt := testOptions()
			opt.Field = name
			out, p := prepare(t, with, opt)
			if hole, err := ReadPrepared(out, p.Size); err != nil || hole.Field != name {
				t.Fatalf("not read back: %v", err)
			}
			if err := Embed(out, p, fakeCMS(300)); err != nil {
				t.Fatal(err)
			}
			qpdfClean(t, out.b)
			sigs := signatures(t, out.b)
			if len(sigs) != 1 || !sigs[0].CoversWholeFile || len(sigs[0].Problems) > 0 {
				t.Fatalf("%+v", sigs)
			}
			file := save(t, out.b)
			got := strings.Join(strings.Fields(output(t, "mutool", "draw", "-q", "-F", "txt", file)), " ")
			if got != strings.Join(lines, " ") {
				t.Errorf("a reader reads %q", got)
			}
			if fonts := output(t, "pdffonts", file); !strings.Contains(fonts, "+GoRegular") || !strings.Contains(fonts, "yes yes yes") {
				t.Errorf("font: %s", fonts)
			}
			inked(t, file, turn)
		})
	}
}

// rebuild writes the plain document again with other page keys, so that its
// offsets are right.
func rebuild(t testing.TB, in []byte) []byte {
	t.Helper()
	d := open(t, in)
	page, err := d.firstPage()
	if err != nil {
		t.Fatal(err)
	}
	return buildPDF("/Root 1 0 R", plainCatalog, plainPages, string(page.val.raw), plainContent)
}

// inked renders the page and looks where the ink is: the field fills the lower
// part of the page as the page's own coordinates go, so the reader sees it on the
// side to which the page is turned.
func inked(t *testing.T, file string, turn int) {
	t.Helper()
	base := filepath.Join(t.TempDir(), "page")
	if out, err := exec.Command(testenv.Need(t, "pdftoppm"), "-r", "72", "-png", "-singlefile", file, base).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v: %s", err, out)
	}
	f, err := os.Open(base + ".png")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	want := [4]image.Rectangle{image.Rect(10, 110, 190, 180), image.Rect(20, 10, 90, 190), image.Rect(10, 20, 190, 90), image.Rect(110, 10, 180, 190)}[turn]
	in, outside := 0, 0
	for x := range img.Bounds().Dx() {
		for y := range img.Bounds().Dy() {
			r, g, b, _ := img.At(x, y).RGBA()
			if r+g+b < 2*0xffff {
				if (image.Point{x, y}).In(want) {
					in++
				} else {
					outside++
				}
			}
		}
	}
	if in < 300 || outside > 40 {
		t.Errorf("%d dark pixels within %v, %d outside", in, want, outside)
	}
	if dir := os.Getenv("ASSENT_SHOTS"); dir != "" {
		text, err := os.ReadFile(base + ".png")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("visible-%d.png", turn)), text, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// What cannot be shown in full is refused by name, and nothing is written.
func TestVisibleRefusals(t *testing.T) {
	good := FieldOptions{Page: 1, Rect: [4]float64{10, 10, 190, 90}, Lines: []string{"x"}}
	one, _ := visible(t, plainPDF(), FieldOptions{Name: "a", Page: 1, Rect: good.Rect, Lines: good.Lines})
	photo := bytes.Clone(stamp(t, true))
	for name, c := range map[string]struct {
		in   []byte
		edit func(*FieldOptions)
		want error
	}{
		"outside the page": {plainPDF(), func(o *FieldOptions) { o.Rect = [4]float64{100, 100, 201, 150} }, ErrOptions},
		"too small":        {plainPDF(), func(o *FieldOptions) { o.Rect = [4]float64{10, 10, 12, 90} }, ErrOptions},
		"upside down":      {plainPDF(), func(o *FieldOptions) { o.Rect = [4]float64{190, 90, 10, 10} }, ErrOptions},
		"page 2 of 1":      {plainPDF(), func(o *FieldOptions) { o.Page = 2 }, ErrOptions},
		"page 0":           {plainPDF(), func(o *FieldOptions) { o.Page = 0 }, ErrOptions},
		"nothing to show":  {plainPDF(), func(o *FieldOptions) { o.Lines = nil }, ErrOptions},
		"no such letter":   {plainPDF(), func(o *FieldOptions) { o.Lines = []string{"署名"} }, ErrOptions},
		"too much text": {plainPDF(), func(o *FieldOptions) {
			o.Lines = []string{strings.Repeat("long ", 180), strings.Repeat("long ", 180), strings.Repeat("long ", 180)}
		}, ErrOptions},
		"too long a word":     {plainPDF(), func(o *FieldOptions) { o.Lines = []string{strings.Repeat("W", 200)} }, ErrOptions},
		"too many lines":      {plainPDF(), func(o *FieldOptions) { o.Lines = make([]string, maxLines+1) }, ErrOptions},
		"no image":            {plainPDF(), func(o *FieldOptions) { o.Image = []byte("GIF89a") }, ErrOptions},
		"half an image":       {plainPDF(), func(o *FieldOptions) { o.Image = photo[:len(photo)/2] }, ErrOptions},
		"half a PNG":          {plainPDF(), func(o *FieldOptions) { o.Image = stamp(t, false)[:60] }, ErrOptions},
		"a field of the name": {one, func(o *FieldOptions) { o.Name = "a" }, ErrField},
		"certified":           {sign(t, plainPDF(), certifying(1)), func(*FieldOptions) {}, ErrForbidden},
		"crop box":            {buildPDF("/Root 1 0 R", plainCatalog, plainPages, strings.Replace(plainPage, "/Resources", "/CropBox [0 0 50 50] /Resources", 1), plainContent), func(*FieldOptions) {}, ErrOptions},
		"no media box":        {buildPDF("/Root 1 0 R", plainCatalog, plainPages, "<< /Type /Page /Parent 2 0 R >>"), func(*FieldOptions) {}, ErrMalformed},
		"direct page":         {buildPDF("/Root 1 0 R", plainCatalog, "<< /Type /Pages /Kids [<< /Type /Page /MediaBox [0 0 200 200] >>] /Count 1 >>"), func(*FieldOptions) {}, ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			opt := good
			c.edit(&opt)
			if tail, _, err := open(t, c.in).PlanField(opt); !errors.Is(err, c.want) || tail != nil {
				t.Errorf("%d bytes, %v, want %v", len(tail), err, c.want)
			}
		})
	}
	opt := good
	opt.Page = -1
	visible(t, plainPDF(), opt)
}

func certifying(p int) SignOptions {
	opt := testOptions()
	opt.Certify = p
	return opt
}
