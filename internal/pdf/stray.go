package pdf

import (
	"bytes"
	"context"
	"sort"
)

// maxStrayHits bounds how many places that mention /ByteRange are looked at.
const maxStrayHits = 1000

// straySignatures finds signature dictionaries that no field leads to. Other
// verifiers walk all objects (D16), so such a dictionary would count there; here
// it is reported with a problem. known maps the object numbers already seen.
func (d *Document) straySignatures(known map[int]int) ([]Signature, error) {
	hits, err := d.findAll([]byte("/ByteRange"), maxStrayHits)
	if err != nil || len(hits) == 0 {
		return nil, err
	}
	var out []Signature
	for _, num := range d.ownersOf(hits) {
		if _, ok := known[num]; ok || num == 0 {
			continue
		}
		o, err := d.load(ref{num: num, gen: int(d.xref.get(num).aux)})
		if err != nil || !o.val.isDict() || o.stream >= 0 {
			continue // text in a stream, or an object that no reader could load
		}
		br, err1 := o.val.get("ByteRange")
		contents, err2 := o.val.get("Contents")
		if err1 != nil || err2 != nil || br.isNull() || contents.isNull() {
			continue
		}
		s, err := d.readSignature(o.val)
		if err != nil {
			return nil, err
		}
		s.Object = num
		s.problem(ProblemOutsideTree, "object %d is a signature that belongs to no form field", num)
		out = append(out, s)
	}
	return out, nil
}

// findAll returns the offsets of a word, in order, at most limit of them.
func (d *Document) findAll(word []byte, limit int) ([]int64, error) {
	var hits []int64
	var tail []byte // the end of the previous piece, shorter than the word
	off := int64(0)
	err := pump(context.Background(), d.r, 0, d.size, func(b []byte) error {
		joined := append(tail, b[:min(len(b), len(word)-1)]...)
		for i := bytes.Index(joined, word); i >= 0 && len(hits) < limit; i = -1 {
			hits = append(hits, off-int64(len(tail))+int64(i))
		}
		for from := 0; len(hits) < limit; {
			i := bytes.Index(b[from:], word)
			if i < 0 {
				break
			}
			hits = append(hits, off+int64(from+i))
			from += i + len(word)
		}
		off += int64(len(b))
		tail = append(tail[:0], b[max(0, len(b)-len(word)+1):]...)
		return nil
	})
	return hits, err
}

// ownersOf returns the numbers of the objects that begin last before each hit.
func (d *Document) ownersOf(hits []int64) []int {
	type owner struct {
		off int64
		num int
	}
	best := make([]owner, len(hits))
	_ = d.xref.each(func(num int, e entry) error {
		if e.kind == entryOffset {
			i := sort.Search(len(hits), func(i int) bool { return hits[i] >= e.off })
			if i < len(hits) && e.off >= best[i].off {
				best[i] = owner{e.off, num}
			}
		}
		return nil
	})
	var nums []int
	seen := map[int]bool{}
	last := owner{}
	for _, b := range best {
		if b.num != 0 {
			last = b
		}
		if last.num != 0 && !seen[last.num] {
			seen[last.num] = true
			nums = append(nums, last.num)
		}
	}
	return nums
}
