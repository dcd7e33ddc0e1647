package pdf

import (
	"slices"
	"strconv"
)

// setKey returns the bytes of a dictionary with one key replaced or, before the
// closing brackets, added. All other bytes stay as they are.
func setKey(dict value, key string, val []byte) ([]byte, error) {
	start, end, err := dict.find(key)
	if err != nil {
		return nil, err
	}
	if start > 0 {
		return slices.Concat(dict.raw[:start], []byte(" "), val, dict.raw[end:]), nil
	}
	at := len(dict.raw) - len(">>")
	return slices.Concat(dict.raw[:at], []byte(" /"+key+" "), val, dict.raw[at:]), nil
}

// appendElem returns the bytes of an array with one more element.
func appendElem(arr value, elem []byte) []byte {
	at := len(arr.raw) - len("]")
	return slices.Concat(arr.raw[:at], []byte(" "), elem, arr.raw[at:])
}

// raw writes the reference "N G R".
func (r ref) raw() []byte {
	b := strconv.AppendInt(nil, int64(r.num), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(r.gen), 10)
	return append(b, " R"...)
}
