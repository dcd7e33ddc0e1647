package pades

import (
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/workers"
)

// defaultLook is what a visible signature says unless visible_signature_text says
// otherwise; a line whose value is missing is left out.
const defaultLook = "Signed by {name}\nReason: {reason}\nLocation: {location}\nDate: {time}"

// maxImage bounds the file of visible_signature_custom_image_path.
const maxImage = 4 << 20

// look is how a worker's signatures are seen on the page.
type look struct {
	page  int
	rect  [4]float64
	text  string
	image []byte
}

// newLook reads the properties of a visible signature; nil for an invisible one.
func newLook(p map[string]string) (*look, error) {
	on, err := strconv.ParseBool(p["add_visible_signature"])
	if v := p["add_visible_signature"]; v != "" && err != nil {
		return nil, fmt.Errorf("%w: add_visible_signature: want true or false, got %q", workers.ErrConfig, v)
	}
	if !on {
		for k := range p {
			if strings.HasPrefix(k, "visible_signature_") {
				return nil, fmt.Errorf("%w: %s needs add_visible_signature: \"true\"", workers.ErrConfig, k)
			}
		}
		return nil, nil
	}
	l := &look{page: 1, rect: [4]float64{36, 36, 236, 100}, text: defaultLook}
	if v := p["visible_signature_page"]; v != "" {
		if l.page, err = parsePage(v); err != nil {
			return nil, fmt.Errorf("%w: visible_signature_page: %w", workers.ErrConfig, err)
		}
	}
	if v := p["visible_signature_rectangle"]; v != "" {
		if l.rect, err = parseRectangle(v); err != nil {
			return nil, fmt.Errorf("%w: visible_signature_rectangle: %w", workers.ErrConfig, err)
		}
	}
	if v, ok := p["visible_signature_text"]; ok {
		l.text = v
	}
	if v := p["visible_signature_custom_image_path"]; v != "" {
		if l.image, err = readImage(v); err != nil {
			return nil, fmt.Errorf("%w: visible_signature_custom_image_path: %w", workers.ErrConfig, err)
		}
	}
	return l, nil
}

func readImage(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxImage {
		return nil, fmt.Errorf("%s has %d bytes, at most %d", path, info.Size(), maxImage)
	}
	return os.ReadFile(path)
}

func parsePage(s string) (int, error) {
	switch strings.ToLower(s) {
	case "first":
		return 1, nil
	case "last":
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("want First, Last or a number from 1, got %q", s)
	}
	return n, nil
}

func parseRectangle(s string) (r [4]float64, err error) {
	parts := strings.Split(s, ",")
	for i, part := range parts {
		if len(parts) != 4 {
			break
		}
		if r[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			break
		}
	}
	if err != nil || len(parts) != 4 {
		return r, fmt.Errorf("want left,bottom,right,top in points, got %q", s)
	}
	return r, nil
}

// add plans the visible field for a document.
func (l *look) add(in workers.Input, leaf *x509.Certificate, opt pdf.SignOptions) (tail []byte, field string, err error) {
	f := pdf.FieldOptions{Name: opt.Field, Page: l.page, Rect: l.rect, Image: l.image}
	if v, ok := in.Params["visible_page"]; ok {
		if f.Page, err = parsePage(v); err != nil {
			return nil, "", fmt.Errorf("%w: visible_page: %w", workers.ErrParams, err)
		}
	}
	if v, ok := in.Params["visible_rectangle"]; ok {
		if f.Rect, err = parseRectangle(v); err != nil {
			return nil, "", fmt.Errorf("%w: visible_rectangle: %w", workers.ErrParams, err)
		}
	}
	name := opt.Name
	if name == "" {
		name = leaf.Subject.CommonName
	}
	f.Lines = fill(l.text, map[string]string{"name": name, "reason": opt.Reason, "location": opt.Location, "contact": opt.ContactInfo, "time": opt.Time.UTC().Format(time.DateTime + " UTC")})
	d, err := pdf.Open(in.Document, in.Size, pdf.Limits{})
	if err != nil {
		return nil, "", refuse(err)
	}
	if tail, field, err = d.PlanField(f); err != nil {
		return nil, "", refuse(err)
	}
	return tail, field, nil
}

// fill puts the values into the template and leaves out lines whose value is
// missing.
func fill(template string, values map[string]string) []string {
	var out []string
	for _, line := range strings.Split(template, "\n") {
		missing := false
		var pairs []string
		for k, v := range values {
			missing = missing || v == "" && strings.Contains(line, "{"+k+"}")
			pairs = append(pairs, "{"+k+"}", v)
		}
		if !missing && strings.TrimSpace(line) != "" {
			out = append(out, strings.NewReplacer(pairs...).Replace(line))
		}
	}
	return out
}

var visibleParams = []string{"visible_page", "visible_rectangle"}

// checkVisible refuses parameters of a visible signature where there is none.
func (w *worker) checkVisible(params map[string]string) error {
	for k := range params {
		if w.look == nil && slices.Contains(visibleParams, k) {
			return fmt.Errorf("%w: %q: worker %q makes invisible signatures", workers.ErrParams, k, w.name)
		}
	}
	return nil
}
