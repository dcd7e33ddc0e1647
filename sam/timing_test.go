package sam

import (
	"crypto/hmac"
	"crypto/sha256"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"math"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/sap"
)

// secretName is what a variable is called that holds, or is compared with, a value
// that nobody may guess octet by octet.
var secretName = regexp.MustCompile(`\b(\w*(mac|Mac|MAC)|pin|PIN|kek|codeKey|proof|secret\w*)\b`)

// CRY-05: in the packages that verify, no value that nobody may guess is compared with ==
// or bytes.Equal, which stop at the first difference. That the search finds such a
// comparison is shown with one.
func TestCRY05NoEarlyExit(t *testing.T) {
	bad := func(src any, name string) (out []string) {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		text := func(n ast.Node) string {
			var b strings.Builder
			_ = printer.Fprint(&b, files, n)
			return b.String()
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var operands []string
			switch e := n.(type) {
			case *ast.BinaryExpr:
				if e.Op == token.EQL || e.Op == token.NEQ {
					operands = []string{text(e.X), text(e.Y)}
				}
			case *ast.CallExpr:
				if fn := text(e.Fun); fn == "bytes.Equal" || fn == "slices.Equal" || fn == "bytes.Compare" {
					operands = []string{text(e.Args[0]), text(e.Args[1])}
				}
			}
			for i, o := range operands {
				other := operands[1-i]
				harmless := other == "nil" || other == `""` || other == "0" || strings.HasPrefix(o, "len(") || strings.HasPrefix(other, "len(")
				if secretName.MatchString(o) && !harmless {
					out = append(out, files.Position(n.Pos()).String()+": "+strings.Join(operands, " against "))
				}
			}
			return true
		})
		return out
	}
	const naive = "package x\nimport \"bytes\"\nfunc f(a, mac []byte) bool { return bytes.Equal(a, mac) || string(a) == string(mac) }"
	if n := len(bad(naive, "planted.go")); n != 2 {
		t.Fatalf("the search finds %d of 2 planted comparisons", n)
	}
	searched := 0
	for _, dir := range []string{".", "../sap", "../cryptotoken", "../cryptotoken/softtoken", "../cryptotoken/pkcs11", "samsqlite", "samrpc", "../internal/mtls"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			searched++
			for _, b := range bad(nil, name) {
				t.Error(b)
			}
		}
	}
	if searched < 60 {
		t.Errorf("only %d files were searched", searched)
	}
}

// welch is Welch's t of two samples: the difference of their means in units of its own
// uncertainty.
func welch(a, b []float64) float64 {
	mean := func(x []float64) (m, v float64) {
		for _, f := range x {
			m += f
		}
		m /= float64(len(x))
		for _, f := range x {
			v += (f - m) * (f - m)
		}
		return m, v / float64(len(x)-1) / float64(len(x))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	return (ma - mb) / math.Sqrt(va+vb)
}

// measure times f on two classes of input, in random order, and compares the times,
// without the slowest tenth, which other work on the machine made.
func measure(rnd *mrand.Rand, n int, f func(class int)) float64 {
	const repeat = 200 // one comparison is faster than the clock can tell
	var times [2][]float64
	for range n {
		class := rnd.IntN(2)
		start := time.Now()
		for range repeat {
			f(class)
		}
		times[class] = append(times[class], float64(time.Since(start).Nanoseconds()))
	}
	var cut [2][]float64
	for class, list := range times {
		limit := percentile(list, 0.9)
		for _, v := range list {
			if v <= limit {
				cut[class] = append(cut[class], v)
			}
		}
	}
	return welch(cut[0], cut[1])
}

func percentile(list []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(p*float64(len(sorted)-1))]
}

// naive stops at the first difference.
func naive(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// CRY-05: the time of each comparison of a secret does not tell where the first wrong
// octet is (after dudect, Reparaz et al. 2016): wrong in the first against wrong in the
// last octet, Welch's t below the limit, while a comparison that stops early is far
// above it. Times are measured, so this runs in soak only.
func TestCRY05TimingOfComparisons(t *testing.T) {
	if os.Getenv("ASSENT_SOAK") == "" {
		t.Log("short run: the statistics need ASSENT_SOAK=1")
		return
	}
	seed := uint64(20261121)
	if s, err := strconv.ParseUint(os.Getenv("ASSENT_SEED"), 10, 64); err == nil {
		seed = s
	}
	rnd := mrand.New(mrand.NewPCG(seed, 5))
	const n, limit = 6000, 10 // dudect's own limit is 4.5 for a million and a quiet machine
	key := sha256.Sum256([]byte("key"))
	keys := &epochSeal{epoch: 1, records: &sync.Pool{New: func() any { return &keyed{h: hmac.New(sha256.New, key[:])} }}, anchor: key[:]}
	seals := &sealer{}
	seals.now.Store(alone(keys))
	wrong := func(right []byte) [2][]byte {
		out := [2][]byte{append([]byte{}, right...), append([]byte{}, right...)}
		out[0][0] ^= 1
		out[1][len(right)-1] ^= 1
		return out
	}
	tomb := &Tombstone{Stamp: Stamp{Seq: 3, Version: 1}, Key: "k", Destroyed: 9}
	right := keys.mac(tomb)
	macs := wrong(right)
	records := [2]*Tombstone{}
	for i, mac := range macs {
		r := *tomb
		r.MAC = mac
		records[i] = &r
	}
	proof := sap.CodeProof(key[:], []byte("statement"), []byte("object"), []byte("client"))
	proofs := wrong(proof)
	for name, f := range map[string]func(class int){
		"seal of a record":           func(class int) { _ = seals.check(records[class]) },
		"proof of an enrolment code": func(class int) { _ = hmac.Equal(proofs[class], proof) },
		"anchor":                     func(class int) { _ = hmac.Equal(macs[class], seals.anchorMAC([]byte("body"))) },
	} {
		if v := math.Abs(measure(rnd, n, f)); v > limit {
			t.Errorf("%s: t = %.1f: the time depends on the secret", name, v)
		} else {
			t.Logf("%s: t = %.1f over %d times", name, v, n)
		}
	}
	if v := math.Abs(measure(rnd, n, func(class int) { _ = naive(macs[class], right) })); v < limit {
		t.Errorf("a comparison that stops early was not found: t = %.1f", v)
	} else {
		t.Logf("a comparison that stops early: t = %.1f (seed %d)", v, seed)
	}
}
