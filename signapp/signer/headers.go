package signer

import (
	"net/http"
	"strings"
)

// baseline are headers of every answer, refusals included.
func baseline(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", permissions("publickey-credentials-get=()", "publickey-credentials-create=()"))
}

func permissions(passkeys ...string) string {
	off := []string{"camera", "microphone", "geolocation", "display-capture", "payment", "usb", "serial", "hid", "midi", "clipboard-read"}
	out := append([]string(nil), passkeys...)
	for _, f := range off {
		out = append(out, f+"=()")
	}
	return strings.Join(out, ", ")
}

// security sets the headers of one file. There are three classes: the page
// with the passkey calls, the document frame, and everything that they load.
func security(h http.Header, cfg Config, name string) {
	baseline(h)
	if strings.HasPrefix(cfg.Origin, "https://") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	// Always asked again, answered by 304: a page of yesterday must not meet a
	// script of today. The files of pdf.js change only with a build.
	h.Set("Cache-Control", "no-cache")
	switch name {
	case "index.html":
		h.Set("Content-Security-Policy", pagePolicy(cfg.API))
		h.Set("Permissions-Policy", permissions("publickey-credentials-get=(self)", "publickey-credentials-create=(self)"))
		return
	case "viewer.html":
		h.Set("Content-Security-Policy", framePolicy())
		h.Set("X-Frame-Options", "SAMEORIGIN")
		return
	case "config.json":
		h.Set("Cache-Control", "no-store")
	case "viewer.css", "pdfjs/viewer.js":
		// The frame has an opaque origin, to which nothing is same-origin. These
		// two are public and the same for everybody.
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

// pagePolicy is for the page that shows requests and calls passkeys: own script
// only, no markup from strings (Trusted Types without any policy), connections
// to itself and the relay, frames of itself only, which also keeps the document
// frame from being navigated away with a document in its address.
func pagePolicy(api string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"connect-src 'self' " + api,
		"img-src 'self' data: blob:",
		"frame-src 'self'",
		"frame-ancestors 'none'",
		"base-uri 'none'",
		"form-action 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}

// framePolicy is for the document frame: no network at all, opaque origin even
// when it is opened by itself. WebAssembly is for pdf.js's image decoders;
// without them parts of scanned documents would stay invisible.
func framePolicy() string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'wasm-unsafe-eval'",
		"style-src 'self'",
		"img-src data: blob:",
		"connect-src 'none'",
		"frame-ancestors 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
		"sandbox allow-scripts",
	}, "; ")
}
