package pdf

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/ber"
)

// Signature is a signature or document time-stamp found in a file. What it says
// is what the file says: nothing here is verified but the place of its bytes.
type Signature struct {
	// Field is the fully qualified name, empty if no field leads to the signature.
	Field string
	// Object is the object number of the signature dictionary, 0 if it is direct.
	Object int
	// Type is "Sig" (also where the file gives none) or "DocTimeStamp".
	Type string
	// Filter and SubFilter name the handler and the encoding of Contents.
	Filter, SubFilter string
	// Name, Reason, Location and ContactInfo are claims of the signer's software.
	Name, Reason, Location, ContactInfo string
	// M is the claimed time, zero if missing or malformed.
	M time.Time
	// ByteRange is the array as found; Range checks it.
	ByteRange []int64
	// Contents is the value of /Contents with its padding; CMS trims it.
	Contents []byte
	// ContentsOffset is the offset of '<' and ContentsLength counts up to '>',
	// inclusive; 0 if the string has no place of its own in the file.
	ContentsOffset, ContentsLength int64
	// Certification is P of a DocMDP transform (1, 2, 3), 0 for none.
	Certification int
	// CoveredEnd is the end of the last range.
	CoveredEnd int64
	// CoversWholeFile: the ranges are the file without the Contents string.
	CoversWholeFile bool
	// Revision counts signed revisions from 1, in order of CoveredEnd.
	Revision int
	// Problems is why the bytes covered are not what they should be. A verifier
	// must not call a signature with problems valid.
	Problems []Problem
}

// ProblemKind classifies a Problem.
type ProblemKind string

// The kinds of problems.
const (
	ProblemRangeForm   ProblemKind = "byte-range-form"   // not four integers in order
	ProblemRangeStart  ProblemKind = "byte-range-start"  // does not start at 0
	ProblemGap         ProblemKind = "gap"               // leaves out more or less than the Contents string
	ProblemOverlap     ProblemKind = "overlap"           // ranges overlap each other or another signature's bytes
	ProblemBeyondEnd   ProblemKind = "beyond-end"        // reaches beyond the file
	ProblemRevisionEnd ProblemKind = "revision-end"      // ends where no revision ends
	ProblemContents    ProblemKind = "contents"          // no hexadecimal string with a place in the file
	ProblemUnsigned    ProblemKind = "unsigned"          // Contents is all zero
	ProblemOutsideTree ProblemKind = "outside-form"      // no field leads to the dictionary
	ProblemShared      ProblemKind = "shared-dictionary" // several fields share the dictionary
	ProblemStrings     ProblemKind = "strings"           // what it says cannot be decrypted
)

// Problem is something wrong with the coverage of a signature.
type Problem struct {
	Kind ProblemKind
	Text string
}

func (s *Signature) problem(kind ProblemKind, format string, args ...any) {
	s.Problems = append(s.Problems, Problem{kind, fmt.Sprintf(format, args...)})
}

// Range returns the ByteRange for HashRange; ErrMalformed unless it has four
// members.
func (s *Signature) Range() ([4]int64, error) {
	if len(s.ByteRange) != 4 {
		return [4]int64{}, malformed(-1, "/ByteRange with %d members", len(s.ByteRange))
	}
	return [4]int64(s.ByteRange), nil
}

// CMS returns Contents without its padding: the first DER element. ISO 32000-1, 12.8.3.3.1, demands DER; what is written with
// indefinite lengths, as many programs do, is returned as its DER. Padding other than zeros is refused.
func (s *Signature) CMS() ([]byte, error) {
	c := s.Contents
	if len(c) < 2 || c[0] == 0 {
		return nil, malformed(-1, "no CMS in /Contents")
	}
	if ber.Indefinite(c) {
		out, n, err := ber.ToDER(c)
		if err != nil {
			return nil, malformed(-1, "CMS in /Contents: %v", err)
		}
		if len(bytes.Trim(c[n:], "\x00")) > 0 {
			return nil, malformed(-1, "bytes behind the CMS in /Contents")
		}
		return out, nil
	}
	head, n := 2, int(c[1])
	if c[1] >= 0x80 {
		k := int(c[1] & 0x7f)
		if k == 0 || k > 4 || len(c) < 2+k {
			return nil, malformed(-1, "/Contents is not DER")
		}
		head += k
		n = int(bigEndian(c[2:head]))
	}
	if n > len(c)-head {
		return nil, malformed(-1, "CMS longer than /Contents")
	}
	if len(bytes.Trim(c[head+n:], "\x00")) > 0 {
		return nil, malformed(-1, "bytes behind the CMS in /Contents")
	}
	return c[:head+n], nil
}

// Bounds on what Signatures keeps; a field tree can make many of few bytes.
const (
	maxSignatures = 1000
	maxContents   = 8 << 20
)

// Signatures returns the signatures of all fields in the order of what they
// cover, and signature dictionaries that no field leads to, with a problem.
func (d *Document) Signatures() ([]Signature, error) {
	sigs, known, err := d.fieldSignatures()
	if err != nil {
		return nil, err
	}
	stray, err := d.straySignatures(known)
	if err != nil {
		return nil, err
	}
	sigs = append(sigs, stray...)
	for i := range sigs {
		d.checkOverlaps(&sigs[i], i, sigs)
	}
	orderRevisions(sigs)
	return sigs, nil
}

// fieldSignatures returns the signatures that fields lead to, in their order, and
// where in the list each object number is.
func (d *Document) fieldSignatures() ([]Signature, map[int]int, error) {
	form, err := d.form()
	if err != nil {
		return nil, nil, err
	}
	var sigs []Signature
	known := map[int]int{} // object number -> index in sigs
	bytesKept := 0
	_, err = d.eachField(form, func(f field) error {
		if f.ft != "Sig" {
			return nil
		}
		sig, err := d.resolve(f.v)
		if err != nil || !sig.isDict() {
			return err
		}
		id, _ := f.v.asRef()
		if i, shared := known[id.num]; shared && id.num != 0 {
			sigs[i].problem(ProblemShared, "fields %q and %q share one signature", sigs[i].Field, f.name)
			return nil
		}
		s, err := d.readSignature(sig)
		s.Field, s.Object = f.name, id.num
		if bytesKept += len(s.Contents); bytesKept > maxContents || len(sigs) >= maxSignatures {
			return overLimit("more than %d signatures or %d bytes of them", maxSignatures, maxContents)
		}
		if id.num != 0 {
			known[id.num] = len(sigs)
		}
		sigs = append(sigs, s)
		return err
	})
	return sigs, known, err
}

// clip bounds a text that is shown.
func clip(s string) string {
	if len(s) > maxTextBytes {
		s = strings.ToValidUTF8(s[:maxTextBytes], "")
	}
	return s
}

func orderRevisions(sigs []Signature) {
	sort.SliceStable(sigs, func(i, j int) bool { return sigs[i].CoveredEnd < sigs[j].CoveredEnd })
	rev := 0
	for i := range sigs {
		if i == 0 || sigs[i].CoveredEnd != sigs[i-1].CoveredEnd {
			rev++
		}
		sigs[i].Revision = rev
	}
}

// readSignature reads a signature dictionary and checks its coverage.
func (d *Document) readSignature(dict value) (Signature, error) {
	s := Signature{Type: "Sig"}
	text := func(v value) string {
		t, err := d.text(v)
		if err != nil {
			s.problem(ProblemStrings, "a string of the signature is not encrypted as the file demands")
		}
		return clip(t)
	}
	if err := d.spend(int64(len(dict.raw))); err != nil {
		return s, err
	}
	vals, err := dict.values(signatureKeys...)
	if err != nil {
		return s, err
	}
	contents := vals[0] // must be direct: it has its place in the file
	for i, v := range vals[1:] {
		if vals[i+1], err = d.resolve(v); err != nil {
			return s, err
		}
	}
	if vals[3].isName() {
		s.Type = vals[3].name()
	}
	s.Filter, s.SubFilter = vals[4].name(), vals[5].name()
	s.Name, s.Reason, s.Location, s.ContactInfo = text(vals[6]), text(vals[7]), text(vals[8]), text(vals[9])
	s.M, _ = parseTime(text(vals[10]))
	if err := d.readCoverage(&s, contents, vals[1]); err != nil {
		return s, err
	}
	return s, d.readReferences(&s, vals[2])
}

// signatureKeys are the keys of a signature dictionary in the order in which readSignature takes their values.
var signatureKeys = []string{"Contents", "ByteRange", "Reference", "Type", "Filter", "SubFilter", "Name", "Reason", "Location", "ContactInfo", "M"}

// readCertification reads what a signature dictionary certifies.
func (d *Document) readCertification(s *Signature, dict value) error {
	refs, err := d.key(dict, "Reference")
	if err != nil {
		return err
	}
	return d.readReferences(s, refs)
}

// readReferences reads it from the value of /Reference.
func (d *Document) readReferences(s *Signature, refs value) error {
	if !refs.isArray() {
		return nil
	}
	var inner error
	err := refs.eachElem(func(e value) bool {
		var r, method, parms value
		if r, inner = d.resolve(e); inner != nil || !r.isDict() {
			return inner == nil
		}
		if method, inner = d.key(r, "TransformMethod"); inner != nil || !method.nameIs("DocMDP") {
			return inner == nil
		}
		if parms, inner = d.key(r, "TransformParams"); inner != nil {
			return false
		}
		p := int64(2)
		if parms.isDict() {
			p, inner = d.keyInt(parms, "P", 2)
		}
		s.Certification = int(p)
		return inner == nil
	})
	return firstError(inner, err)
}

// readCoverage reads /Contents and /ByteRange and says what is wrong with them.
func (d *Document) readCoverage(s *Signature, contents, br value) error {
	switch {
	case contents.isString():
		s.Contents = stringBytes(contents.raw)
		if contents.raw[0] != '<' || contents.off < 0 {
			s.problem(ProblemContents, "/Contents is no hexadecimal string with a place in the file")
			break
		}
		s.ContentsOffset, s.ContentsLength = contents.off, int64(len(contents.raw))
		// These bytes are not signed: a reader that repairs could take other ones
		// among the digits for objects of the document.
		if i := firstNotHexadecimal(contents.raw[1 : len(contents.raw)-1]); i >= 0 {
			s.problem(ProblemContents, "/Contents holds more than hexadecimal digits, the first such byte is at %d", contents.off+1+int64(i))
		}
		if len(bytes.TrimLeft(s.Contents, "\x00")) == 0 {
			s.problem(ProblemUnsigned, "/Contents is empty: not signed")
		}
	default:
		s.problem(ProblemContents, "no /Contents string")
	}
	good := br.isArray()
	var err error
	if good {
		err = br.eachElem(func(e value) bool {
			n, ok := e.asInt()
			good = good && ok
			s.ByteRange = append(s.ByteRange, n)
			return len(s.ByteRange) < 64
		})
	}
	if err != nil {
		return err
	}
	d.checkRange(s, good)
	return nil
}

// firstNotHexadecimal is where the first byte is that is neither a hexadecimal digit nor white space; -1 if there is none.
func firstNotHexadecimal(b []byte) int {
	for i, c := range b {
		if classes[c]&(classHex|classSpace) == 0 {
			return i
		}
	}
	return -1
}

func notHexadecimal(r rune) bool {
	return r >= 0x80 || classes[r]&(classHex|classSpace) == 0
}

// checkRange compares the byte range with the file and the Contents string.
func (d *Document) checkRange(s *Signature, good bool) {
	if n := len(s.ByteRange); n > 0 && n%2 == 0 {
		s.CoveredEnd = saturatingAdd(s.ByteRange[n-2], s.ByteRange[n-1])
	}
	if !good || len(s.ByteRange) != 4 {
		s.problem(ProblemRangeForm, "/ByteRange must be four integers, found %d members", len(s.ByteRange))
		return
	}
	start, n, next, rest := s.ByteRange[0], s.ByteRange[1], s.ByteRange[2], s.ByteRange[3]
	if start < 0 || n < 0 || next < 0 || rest < 0 {
		s.problem(ProblemRangeForm, "/ByteRange with a negative number")
		return
	}
	if start != 0 {
		s.problem(ProblemRangeStart, "signed bytes start at %d, not at the beginning of the file", start)
	}
	gap := saturatingAdd(start, n)
	if gap > next {
		s.problem(ProblemOverlap, "the two ranges overlap")
	}
	if s.CoveredEnd > d.size {
		s.problem(ProblemBeyondEnd, "signed bytes end at %d, the file at %d", s.CoveredEnd, d.size)
		return
	}
	exact := s.ContentsLength > 0 && gap == s.ContentsOffset && next == s.ContentsOffset+s.ContentsLength
	if !exact {
		s.problem(ProblemGap, "bytes %d to %d are left out of the signature, the signature itself is at %d to %d",
			gap, next, s.ContentsOffset, s.ContentsOffset+s.ContentsLength)
	}
	s.CoversWholeFile = exact && start == 0 && s.CoveredEnd == d.size
	if !d.endsRevision(s.CoveredEnd) {
		s.problem(ProblemRevisionEnd, "signed bytes end at %d, where no revision of the file ends", s.CoveredEnd)
	}
}

func saturatingAdd(a, b int64) int64 {
	if a > 0 && b > 1<<62-a {
		return 1 << 62
	}
	return a + b
}

// endsRevision reports whether the bytes before end close a revision: %%EOF and
// at most some white space.
func (d *Document) endsRevision(end int64) bool {
	from := max(0, end-64)
	b, err := d.view(int(end-from), from)
	return err == nil && bytes.HasSuffix(bytes.TrimRight(b, "\x00\t\n\f\r "), []byte("%%EOF"))
}

// checkOverlaps reports a signature whose gap lies over another signature's
// Contents: then one of the two is not covered as it claims.
func (d *Document) checkOverlaps(s *Signature, self int, all []Signature) {
	if len(s.ByteRange) != 4 {
		return
	}
	from, to := saturatingAdd(s.ByteRange[0], s.ByteRange[1]), s.ByteRange[2]
	for i := range all {
		o := &all[i]
		if i == self || o.ContentsLength == 0 {
			continue
		}
		if from < o.ContentsOffset+o.ContentsLength && o.ContentsOffset < to {
			s.problem(ProblemOverlap, "the bytes left out contain the signature in field %q", o.Field)
			return
		}
	}
}
