package validate_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// Bounds of judging one file of a corpus.
const (
	mostTime   = 10 * time.Second
	mostMemory = 512 << 20 // bytes, all that was ever asked for together
)

// bounded judges a file within the bounds. A file that cannot be read gives no report.
func bounded(t *testing.T, name string, b []byte, opt validate.Options) *validate.Report {
	t.Helper()
	var rep *validate.Report
	var before, after runtime.MemStats
	testenv.Within(t, name, mostTime, func() {
		runtime.ReadMemStats(&before)
		var err error
		if rep, err = validate.File(t.Context(), name, bytes.NewReader(b), int64(len(b)), opt); err != nil {
			rep = nil
		}
		runtime.ReadMemStats(&after)
	})
	if n := after.TotalAlloc - before.TotalAlloc; n > mostMemory {
		t.Errorf("%s: %d MiB", name, n>>20)
	}
	return rep
}

var inXML = regexp.MustCompile(`<(?:\w+:)?X509Certificate>([^<]*)<`)

// inside are the certificates that an XML file brings, and a time at which the last of them had begun.
func inside(b []byte) (out []*x509.Certificate, at time.Time) {
	for _, m := range inXML.FindAllSubmatch(b, -1) {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(m[1])), ""))
		if err != nil {
			continue
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		if out = append(out, c); c.NotBefore.Add(time.Hour).After(at) {
			at = c.NotBefore.Add(time.Hour)
		}
	}
	return out, at
}

// ADE-05, I9: of XML by others (signature wrapping, bombs, external entities) none is accepted though all certificates that it brings are
// trusted, at a time when they counted, and the files that were wrapped are (they show that nothing else keeps the others out). Each within 10 s
// and 512 MiB. What was wrapped is said to be signed by its place, and not what stands where programs look.
func TestADE05HostileCorpusIsNeverAccepted(t *testing.T) {
	genuine := map[string]bool{"original.xml": true, "TSL-CY-sign.xml": true, "TSL-noID.xml": true}
	named := map[string]string{"XSW-enveloped-fake-content.xml": `"TLISK-102" (bytes 522960 to 1039241)`, "XSW-enveloped-fake-content-misplaced.xml": `"TLISK-102", not the document around it (bytes 20931 to 537212)`}
	read := 0
	for folder, least := range map[string]int{"xml/xsw": 9, "xml/bad-xml": 10} {
		files, err := filepath.Glob(filepath.Join(testenv.Corpora(t, folder), "*.xml"))
		if err != nil || len(files) < least {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			must(t, err)
			name := filepath.Base(file)
			anchors, at := inside(b)
			rep := bounded(t, name, b, validate.Options{Anchors: anchors, Now: at})
			if rep == nil {
				continue
			}
			read++
			if (rep.Verdict == validate.Valid) != genuine[name] || (rep.Indication == validate.TotalPassed) != genuine[name] {
				t.Errorf("%s: %s, %s", name, rep.Verdict, rep.Indication)
			}
			if want := named[name]; want != "" && (len(rep.Signatures) != 1 || !strings.Contains(rep.Signatures[0].Scope, want)) {
				t.Errorf("%s: %+v", name, rep.Signatures)
			}
		}
	}
	if read < 8 {
		t.Errorf("%d files were judged", read)
	}
}
