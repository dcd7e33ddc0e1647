package pkcs11

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The fake's wrapping keys are files kek.N of its folder, which all children share as
// they share a token. A blob is the label of its wrapping key, a line feed and the key.

func (f *fake) keks() []int {
	list := []int{1}
	if _, err := os.Stat(filepath.Join(f.dir, "no-kek.1")); err == nil {
		list = nil
	}
	files, err := filepath.Glob(filepath.Join(f.dir, "kek.*"))
	strict(err == nil)
	for _, file := range files {
		n, err := strconv.Atoi(file[strings.LastIndexByte(file, '.')+1:])
		strict(err == nil)
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

func (f *fake) hasKEK(label []byte) bool {
	n, ok := epochOf("assent-kek", string(label))
	return ok && slices.Contains(f.keks(), n)
}

func wrapFake(label, raw []byte) []byte {
	return append(append(bytes.Clone(label), 10), raw...)
}

func (f *fake) openFake(label, blob []byte) ([]byte, bool) {
	under, raw, ok := bytes.Cut(blob, []byte{10})
	return raw, ok && bytes.Equal(under, label) && f.hasKEK(label)
}

// nextKEK, rewrap and destroyKEK are strict about what the parent may ask, and die
// before or after the act, or answer what was not asked.
func (f *fake) nextKEK(req message) message {
	list := f.keks()
	now, ok := epochOf("assent-kek", string(req.field(0)))
	strict(len(req.fields) == 1 && ok && slices.Contains(list, now))
	f.fault("next-before")
	top := list[len(list)-1]
	if top == now {
		top++
		strict(os.WriteFile(filepath.Join(f.dir, "kek."+strconv.Itoa(top)), nil, 0o600) == nil)
		f.note("made", strconv.Itoa(top))
	}
	f.fault("next-after")
	label := epochLabel("assent-kek", top)
	switch {
	case f.take("next-none"):
		return message{}
	case f.take("next-same"):
		return message{fields: [][]byte{req.field(0)}}
	case f.take("next-other"):
		label = "other-kek/2"
	}
	return message{fields: [][]byte{[]byte(label)}}
}

func (f *fake) rewrap(req message) message {
	list := f.keks()
	top := epochLabel("assent-kek", list[len(list)-1])
	strict(len(req.fields) == 5 && string(req.field(0)) == "P-256" && string(req.field(2)) == top)
	f.fault("rewrap-before")
	raw, ok := f.openFake(req.field(1), req.field(3))
	if !ok {
		return faultf(statusBadBlob, "blob").reply(req.seq, 0)
	}
	f.note("rewrapped", "1")
	f.fault("rewrap-after")
	if f.take("rewrap-none") {
		return message{}
	}
	return message{fields: [][]byte{wrapFake(req.field(2), raw)}}
}

func (f *fake) destroyKEK(req message) message {
	n, ok := epochOf("assent-kek", string(req.field(0)))
	list := f.keks()
	strict(len(req.fields) == 1 && ok && n != list[len(list)-1])
	f.fault("destroy-before")
	if !slices.Contains(list, n) {
		return faultf(statusKeyNotFound, "%q", req.field(0)).reply(req.seq, 0)
	}
	if n == 1 {
		strict(os.WriteFile(filepath.Join(f.dir, "no-kek.1"), nil, 0o600) == nil)
	} else {
		strict(os.Remove(filepath.Join(f.dir, "kek."+strconv.Itoa(n))) == nil)
	}
	f.fault("destroy-after")
	return message{}
}

// fault dies or hangs when the test armed it.
func (f *fake) fault(where string) {
	if f.take(where + "-die") {
		os.Exit(7)
	}
	if f.take(where + "-hang") {
		select {}
	}
}
