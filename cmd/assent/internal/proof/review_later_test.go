package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
)

var (
	pageObject = regexp.MustCompile(`(?s)\n(\d+) 0 obj\s*(<<[^>]*/Type\s*/Page\b.*?)endobj`)
	rootObject = regexp.MustCompile(`/Root\s+(\d+ 0 R)`)
	startXref  = regexp.MustCompile(`startxref\s+(\d+)\s+%%EOF`)
)

// T12 (promise 3): the approved document is the first part of the file, and an
// update behind it replaces the page. The signature holds; the file is another
// one, and the receipt does not hold for it.
func TestReviewReceiptOfAFileWhosePageWasReplacedLater(t *testing.T) {
	a := newAct(t)
	page := pageObject.FindSubmatch(a.file)
	root := rootObject.FindAllSubmatch(a.file, -1)
	xref := startXref.FindAllSubmatch(a.file, -1)
	if page == nil || root == nil || xref == nil {
		t.Fatalf("page %v, root %v, startxref %v", page != nil, root != nil, xref != nil)
	}
	num, err := strconv.Atoi(string(page[1]))
	must(t, err)
	contents := regexp.MustCompile(`/Contents\s+\d+ 0 R`)
	evil := contents.ReplaceAll(page[2], []byte("/Contents 900 0 R"))
	if bytes.Equal(evil, page[2]) {
		t.Fatalf("the page has no contents: %s", page[2])
	}
	b := bytes.Clone(a.file)
	at := len(b)
	b = fmt.Appendf(b, "%d 0 obj\n%sendobj\n", num, evil)
	stream := len(b)
	b = fmt.Appendf(b, "900 0 obj\n<< /Length 3 >>\nstream\n0 w\nendstream\nendobj\n")
	table := len(b)
	b = fmt.Appendf(b, "xref\n%d 1\n%010d 00000 n \n900 1\n%010d 00000 n \ntrailer\n<< /Size 901 /Root %s /Prev %s >>\nstartxref\n%d\n%%%%EOF\n",
		num, at, stream, root[len(root)-1][1], xref[len(xref)-1][1], table)
	if _, err := a.verify(t, a.receipt, b, &a.sam.PublicKey); !errors.Is(err, proof.ErrChanged) {
		t.Errorf("a file with a replaced page: %v", err)
	} else {
		t.Log(err)
	}
}
