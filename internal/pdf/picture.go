package pdf

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// Bounds on a picture in an appearance.
const (
	maxPictureBytes  = 4 << 20
	maxPictureSide   = 4096
	maxPicturePixels = 4 << 20
)

// picture is an image for a PDF: samples and, if it lets the page show through,
// its mask; or a JPEG file as it is.
type picture struct {
	width, height int
	space         string // colour space
	data          []byte
	mask          []byte // a byte for each pixel; nil if opaque
	jpeg          bool
}

// readPicture reads a PNG or JPEG file within bounds. ErrOptions.
func readPicture(file []byte) (*picture, error) {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("%w: image: %s", ErrOptions, fmt.Sprintf(format, a...))
	}
	if len(file) > maxPictureBytes {
		return nil, refuse("%d bytes, at most %d", len(file), maxPictureBytes)
	}
	isJPEG := bytes.HasPrefix(file, []byte("\xff\xd8"))
	config := png.DecodeConfig
	if isJPEG {
		config = jpeg.DecodeConfig
	}
	c, err := config(bytes.NewReader(file))
	if err != nil {
		return nil, refuse("neither PNG nor JPEG: %v", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPictureSide || c.Height > maxPictureSide || c.Width*c.Height > maxPicturePixels {
		return nil, refuse("%d x %d pixels", c.Width, c.Height)
	}
	p := &picture{width: c.Width, height: c.Height, space: calRGB}
	if !isJPEG {
		return p, p.readPNG(file, refuse)
	}
	// Read whole, so that a reader of the PDF will not stumble over it.
	if _, err := jpeg.Decode(bytes.NewReader(file)); err != nil {
		return nil, refuse("%v", err)
	}
	switch c.ColorModel {
	case color.GrayModel:
		p.space = calGray
	case color.YCbCrModel:
	default:
		return nil, refuse("a JPEG that is neither grey nor RGB")
	}
	p.data, p.jpeg = file, true
	return p, nil
}

func (p *picture) readPNG(file []byte, refuse func(string, ...any) error) error {
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return refuse("%v", err)
	}
	flat := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	draw.Draw(flat, flat.Bounds(), img, img.Bounds().Min, draw.Src)
	opaque := true
	for i := 0; i < len(flat.Pix); i += 4 {
		p.data = append(p.data, flat.Pix[i:i+3]...)
		p.mask = append(p.mask, flat.Pix[i+3])
		opaque = opaque && flat.Pix[i+3] == 0xff
	}
	if opaque {
		p.mask = nil
	}
	return nil
}

// add writes the image's objects.
func (p *picture) add(u *update) (ref, error) {
	keys := fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace ", p.width, p.height)
	more := ""
	if p.mask != nil {
		mask, err := u.addStream(keys+"/DeviceGray", p.mask, true)
		if err != nil {
			return ref{}, err
		}
		more = " /SMask " + string(mask.raw())
	}
	if p.jpeg {
		return u.addStream(keys+p.space+" /Filter /DCTDecode", p.data, false)
	}
	return u.addStream(keys+p.space+more, p.data, true)
}
