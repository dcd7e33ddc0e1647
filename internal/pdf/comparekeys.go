package pdf

import (
	"bytes"
	"slices"
)

// eachRef calls fn for every reference within v, except below some keys of a
// dictionary at the top.
func eachRef(v value, except []string, fn func(ref)) error {
	if v.isDict() && len(except) > 0 {
		return v.eachPair(func(key []byte, val value) bool {
			if !slices.Contains(except, string(key)) {
				_ = eachRef(val, nil, fn)
			}
			return true
		})
	}
	if id, ok := v.asRef(); ok {
		fn(id)
		return nil
	}
	l := v.sub(0)
	var nums [2]int64
	have := 0
	for {
		l.skipSpace()
		if l.pos >= len(v.raw) {
			return nil
		}
		t, err := l.next()
		if err != nil {
			return err
		}
		word := v.raw[t.start:t.end]
		n, isInt := parseInt(word)
		switch {
		case t.kind == tokNumber && isInt && n >= 0:
			nums[0], nums[1] = nums[1], n
			have++
			continue
		case t.kind == tokWord && have >= 2 && string(word) == "R":
			if nums[0] > 0 && nums[0] <= maxObjectNumber && nums[1] <= 65535 {
				fn(ref{int(nums[0]), int(nums[1])})
			}
		}
		have = 0
	}
}

// maxDiffKeys bounds the keys that are compared one by one.
const maxDiffKeys = 1000

// diffKeys returns the keys whose values differ between two dictionaries in more than in how they are written.
func diffKeys(a, b value, except ...string) ([]string, error) {
	old, err := keySpans(a, except)
	if err != nil {
		return nil, err
	}
	cur, err := keySpans(b, except)
	if err != nil {
		return nil, err
	}
	if len(old) > maxDiffKeys || len(cur) > maxDiffKeys {
		if bytes.Equal(a.raw, b.raw) {
			return nil, nil
		}
		return []string{"a dictionary of very many keys"}, nil
	}
	var out []string
	for k, v := range cur {
		if was, ok := old[k]; !ok || !sameWriting(was, v) && !(boxes[k] && sameBox(was, v)) {
			out = append(out, "/"+k)
		}
	}
	for k := range old {
		if _, ok := cur[k]; !ok {
			out = append(out, "/"+k)
		}
	}
	slices.Sort(out)
	return out, nil
}

// keySpans returns keys and raw values, at most one more than maxDiffKeys. Of a
// key that occurs twice, which is ambiguous, it keeps both values as one that is
// written like no other: its zeros keep two numbers from being read as a third, and
// two dictionaries from being compared by the first.
func keySpans(v value, except []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	if !v.isDict() {
		return out, nil
	}
	err := v.eachPair(func(key []byte, val value) bool {
		if k := string(key); !slices.Contains(except, k) {
			if was, twice := out[k]; twice {
				out[k] = slices.Concat([]byte{0}, was, []byte{0}, val.raw)
			} else {
				out[k] = val.raw
			}
		}
		return len(out) <= maxDiffKeys
	})
	return out, err
}
