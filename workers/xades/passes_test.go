package xades_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// counting counts the bytes that are read of a document.
type counting struct {
	io.ReaderAt
	bytes int64
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.bytes += int64(n)
	return n, err
}

type countingFile struct {
	*os.File
	bytes int64
}

func (c *countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(b, off)
	c.bytes += int64(n)
	return n, err
}

// A signature over a document reads it twice before anybody is asked: to digest it and find the signature's place,
// and to copy it. What was written is read back once, with the digest that a verifier computes, and so it is when
// the value is there.
func TestPassesOverTheDocument(t *testing.T) {
	p := workertest.NewPKI(t)
	key, _, chain := p.Key(t, "signer", algo.P256, certs.SignerProfile)
	doc := "<a>" + strings.Repeat("<b c='d'>some text &amp; more</b>", 40_000) + "</a>"
	for _, parallel := range []string{"false", "true"} {
		t.Run("parallel "+parallel, func(t *testing.T) {
			e := entry(t, p, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "signer", Chain: chain, Properties: map[string]string{"parallel": parallel}})
			in, out := &counting{ReaderAt: strings.NewReader(doc)}, &countingFile{File: workertest.File(t, "out.xml")}
			size, room := int64(len(doc)), int64(len(doc)/10)
			prep, err := e.Worker.Prepare(context.Background(), workers.Input{Document: in, Size: size, Name: "a.xml", Chain: e.Chain, Alg: algo.ES256, Time: time.Now()}, out)
			if err != nil {
				t.Fatal(err)
			}
			if in.bytes > 2*size+room || out.bytes > size+room {
				t.Errorf("Prepare: %d bytes of the document are read, %d of the copy; it has %d", in.bytes, out.bytes, size)
			}
			sig, err := key.Sign(rand.Reader, prep.DTBSR, crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			out.bytes = 0
			if _, err := e.Worker.Finish(context.Background(), prep, sig, out); err != nil {
				t.Fatal(err)
			}
			if out.bytes > size+room {
				t.Errorf("Finish: %d bytes are read, the document has %d", out.bytes, size)
			}
		})
	}
}
