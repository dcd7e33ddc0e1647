package c14n

import (
	"bytes"
	"hash/maphash"
)

// Names that Namespaces in XML 1.0 (section 3) reserves.
const (
	xmlNamespace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNamespace = "http://www.w3.org/2000/xmlns/"
)

// scope is a stack of namespace bindings in which the innermost one of a prefix
// is found without looking at the others. What is pushed for an element is
// popped when it ends; nothing is allocated once the arrays have grown.
type scope struct {
	bound   []binding
	data    []byte // prefixes and names, one after the other
	buckets [64]int32
	seed    maphash.Seed
}

type binding struct {
	from, mid, to int32 // prefix data[from:mid], name data[mid:to]
	next          int32 // the binding that this one covers in its bucket, plus 1
	bucket        uint8
}

func (s *scope) init() { s.seed = maphash.MakeSeed() }

func (s *scope) bucket(prefix []byte) uint8 {
	if len(prefix) == 0 {
		return 0
	}
	return uint8(maphash.Bytes(s.seed, prefix) & 63)
}

func (s *scope) prefix(i int) []byte { return s.data[s.bound[i].from:s.bound[i].mid] }
func (s *scope) uri(i int) []byte    { return s.data[s.bound[i].mid:s.bound[i].to] }

// find gives the index of the innermost binding of a prefix, or -1.
func (s *scope) find(prefix []byte) int {
	for i := s.buckets[s.bucket(prefix)]; i != 0; i = s.bound[i-1].next {
		if bytes.Equal(s.prefix(int(i-1)), prefix) {
			return int(i - 1)
		}
	}
	return -1
}

// lookup gives the name that a prefix is bound to, and whether it is.
func (s *scope) lookup(prefix []byte) ([]byte, bool) {
	i := s.find(prefix)
	if i < 0 {
		return nil, false
	}
	return s.uri(i), true
}

func (s *scope) push(prefix, uri []byte) {
	k := s.bucket(prefix)
	b := binding{from: int32(len(s.data)), next: s.buckets[k], bucket: k}
	s.data = append(s.data, prefix...)
	b.mid = int32(len(s.data))
	s.data = append(s.data, uri...)
	b.to = int32(len(s.data))
	s.bound = append(s.bound, b)
	s.buckets[k] = int32(len(s.bound))
}

// pop leaves the first n bindings.
func (s *scope) pop(n int) {
	for i := len(s.bound) - 1; i >= n; i-- {
		b := s.bound[i]
		s.buckets[b.bucket] = b.next
		s.data = s.data[:b.from]
	}
	s.bound = s.bound[:n]
}

// isRelative says whether a namespace name is a relative reference: it has no
// scheme (RFC 3986, section 3.1). The empty name is none at all.
func isRelative(uri []byte) bool {
	if len(uri) == 0 {
		return false
	}
	for i, c := range uri {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.':
			if i == 0 {
				return true
			}
		case c == ':':
			return i == 0
		default:
			return true
		}
	}
	return true
}
