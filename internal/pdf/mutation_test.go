package pdf

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// mutate changes a file the way damage and attackers do: bits, numbers, spans
// removed, doubled or moved, and structural words exchanged.
func mutate(r *rand.Rand, in []byte) []byte {
	b := bytes.Clone(in)
	words := []string{"obj", "endobj", "stream", "<<", ">>", "[", "]", "(", ")", "R", "/Kids", "/Length", "/Prev", "/Fields", "/Contents",
		"/ByteRange", "null", "9999999999", "-1", "0", "%", "\x00", "/Type/ObjStm", "xref", "trailer", "startxref"}
	for range 1 + r.IntN(4) {
		if len(b) < 20 {
			break
		}
		at, n := r.IntN(len(b)-10), 1+r.IntN(10)
		switch r.IntN(6) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			if isDigit(b[at]) {
				b[at] = '0' + byte(r.IntN(10))
			}
		case 2:
			b = append(b[:at], b[at+n:]...)
		case 3:
			b = append(b[:at], append(bytes.Clone(b[at:at+n]), b[at:]...)...)
		case 4:
			copy(b[at:], words[r.IntN(len(words))])
		case 5:
			from := r.IntN(len(b) - 10)
			copy(b[at:at+n], bytes.Clone(b[from:from+n]))
		}
	}
	return b
}

// D11: thousands of mutated files of the corpus: no panic, each within its time,
// every error typed. The seed is fixed, so that a failure can be repeated.
func TestD11MutatedFilesNeitherPanicNorHang(t *testing.T) {
	dir := testenv.Corpora(t, "pdf/pyhanko")
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	for _, name := range corpusFiles(t, dir) {
		in, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if len(in) > 64<<10 {
			continue
		}
		for range rounds {
			b := mutate(r, in)
			testenv.Within(t, name, fileTime, func() {
				exerciseReading(t, name, b)
				out := &memFile{}
				_, err := Prepare(context.Background(), bytes.NewReader(b), int64(len(b)), out, testOptions())
				typedOrNil(t, name, err)
				if err == nil && !bytes.HasPrefix(out.b, b) {
					t.Errorf("%s: the input is no prefix", name)
				}
			})
		}
	}
}
