package glyphs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/image/font/gofont/goregular"
)

// errFont means that the compiled-in font is not what this package expects.
var errFont = errors.New("glyphs: unexpected structure of the font")

// kept are the tables that a TrueType font in a PDF needs (ISO 32000-1, 9.9).
var kept = []string{"cvt ", "fpgm", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "prep"}

// Subset returns the font with the outlines of the given glyphs, what they are
// composed of, and glyph 0. Numbers stay, so text needs no translation.
func Subset(ids []uint16) ([]byte, error) {
	tables, err := directory(goregular.TTF)
	if err != nil {
		return nil, err
	}
	loca, err := offsets(tables)
	if err != nil {
		return nil, err
	}
	used, err := closure(tables["glyf"], loca, append(slices.Clone(ids), 0))
	if err != nil {
		return nil, err
	}
	var glyf []byte
	newLoca := make([]byte, 0, 4*len(loca))
	for id := range len(loca) - 1 {
		newLoca = binary.BigEndian.AppendUint32(newLoca, uint32(len(glyf)))
		if used[uint16(id)] {
			glyf = append(glyf, tables["glyf"][loca[id]:loca[id+1]]...)
			glyf = append(glyf, make([]byte, -len(glyf)&3)...)
		}
	}
	tables["loca"] = binary.BigEndian.AppendUint32(newLoca, uint32(len(glyf)))
	tables["glyf"] = glyf
	head := bytes.Clone(tables["head"])
	binary.BigEndian.PutUint16(head[50:], 1) // long offsets
	tables["head"] = head
	return assemble(tables), nil
}

// directory reads the tables of a font file.
func directory(ttf []byte) (map[string][]byte, error) {
	if len(ttf) < 12 || binary.BigEndian.Uint32(ttf) != 0x00010000 {
		return nil, errFont
	}
	out := map[string][]byte{}
	for i := range int(binary.BigEndian.Uint16(ttf[4:])) {
		e := 12 + 16*i
		if e+16 > len(ttf) {
			return nil, errFont
		}
		off, n := uint64(binary.BigEndian.Uint32(ttf[e+8:])), uint64(binary.BigEndian.Uint32(ttf[e+12:]))
		if off+n > uint64(len(ttf)) {
			return nil, errFont
		}
		out[string(ttf[e:e+4])] = ttf[off : off+n]
	}
	if len(out["head"]) < 54 || len(out["maxp"]) < 6 {
		return nil, errFont
	}
	return out, nil
}

// offsets reads loca: where each glyph's outline begins, and the end.
func offsets(tables map[string][]byte) ([]uint32, error) {
	n := int(binary.BigEndian.Uint16(tables["maxp"][4:])) + 1
	long := binary.BigEndian.Uint16(tables["head"][50:]) == 1
	raw := tables["loca"]
	out := make([]uint32, n)
	for i := range out {
		switch {
		case long && len(raw) >= 4*n:
			out[i] = binary.BigEndian.Uint32(raw[4*i:])
		case !long && len(raw) >= 2*n:
			out[i] = 2 * uint32(binary.BigEndian.Uint16(raw[2*i:]))
		default:
			return nil, errFont
		}
		if out[i] > uint32(len(tables["glyf"])) || i > 0 && out[i] < out[i-1] {
			return nil, errFont
		}
	}
	return out, nil
}

// Flags of a component of a composite glyph (OpenType, table glyf).
const (
	argsAreWords   = 1 << 0
	hasScale       = 1 << 3
	moreComponents = 1 << 5
	hasTwoScales   = 1 << 6
	hasTwoByTwo    = 1 << 7
)

// closure adds what composite glyphs are made of.
func closure(glyf []byte, loca []uint32, ids []uint16) (map[uint16]bool, error) {
	used := map[uint16]bool{}
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if used[id] {
			continue
		}
		if int(id) >= len(loca)-1 {
			return nil, errFont
		}
		used[id] = true
		parts, err := components(glyf[loca[id]:loca[id+1]])
		if err != nil {
			return nil, err
		}
		ids = append(ids, parts...)
	}
	return used, nil
}

func components(outline []byte) (ids []uint16, err error) {
	if len(outline) < 10 || int16(binary.BigEndian.Uint16(outline)) >= 0 {
		return nil, nil // empty or simple
	}
	b := outline[10:]
	for {
		if len(b) < 4 {
			return nil, errFont
		}
		flags := binary.BigEndian.Uint16(b)
		ids = append(ids, binary.BigEndian.Uint16(b[2:]))
		size := 4 + 2
		if flags&argsAreWords != 0 {
			size += 2
		}
		switch {
		case flags&hasScale != 0:
			size += 2
		case flags&hasTwoScales != 0:
			size += 4
		case flags&hasTwoByTwo != 0:
			size += 8
		}
		if flags&moreComponents == 0 {
			return ids, nil
		}
		if len(b) < size {
			return nil, errFont
		}
		b = b[size:]
	}
}

// assemble writes a font file with the kept tables.
func assemble(tables map[string][]byte) []byte {
	var names []string
	for _, n := range kept {
		if len(tables[n]) > 0 {
			names = append(names, n)
		}
	}
	n := len(names)
	power, log := 1, 0
	for power*2 <= n {
		power, log = power*2, log+1
	}
	out := binary.BigEndian.AppendUint32(nil, 0x00010000)
	for _, v := range []int{n, power * 16, log, (n - power) * 16} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	off := 12 + 16*n
	var body []byte
	for _, name := range names {
		t := tables[name]
		if name == "head" {
			t = bytes.Clone(t)
			binary.BigEndian.PutUint32(t[8:], 0)
		}
		out = append(out, name...)
		out = binary.BigEndian.AppendUint32(out, sum(t))
		out = binary.BigEndian.AppendUint32(out, uint32(off+len(body)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t)))
		body = append(body, t...)
		body = append(body, make([]byte, -len(body)&3)...)
	}
	out = append(out, body...)
	for i, name := range names {
		if name == "head" {
			at := binary.BigEndian.Uint32(out[12+16*i+8:])
			binary.BigEndian.PutUint32(out[at+8:], 0xB1B0AFBA-sum(out))
		}
	}
	return out
}

// sum is the checksum of a table (OpenType, "Calculating checksums").
func sum(b []byte) (s uint32) {
	for len(b) >= 4 {
		s += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	if len(b) > 0 {
		s += binary.BigEndian.Uint32(append(bytes.Clone(b), 0, 0, 0)[:4])
	}
	return s
}
