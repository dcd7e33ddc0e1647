package pdf

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // names a VRI entry (ISO 32000-2, 12.8.4.4); nothing relies on it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ValidationData is what a verifier needs long after: certificates, OCSP
// responses and CRLs, each in DER (ISO 32000-2, 12.8.4.3; EN 319 142-1, 5.4.2).
type ValidationData struct {
	Certs, OCSPs, CRLs [][]byte
}

func (v ValidationData) lists() [3][][]byte { return [3][][]byte{v.Certs, v.OCSPs, v.CRLs} }

func (v ValidationData) empty() bool { return len(v.Certs)+len(v.OCSPs)+len(v.CRLs) == 0 }

// SignatureData is validation data with the signature that it is for: the value
// of /Contents with its padding, as Signature.Contents has it.
type SignatureData struct {
	Contents []byte
	ValidationData
}

// DSS is the document security store of a file.
type DSS struct {
	ValidationData
	// VRI are the keys of the signatures for which there is an entry: VRIKey.
	VRI []string
}

// Bounds on a document security store.
const (
	maxStoreItems = 2000
	maxStoreItem  = 32 << 20
	maxStore      = 64 << 20
)

// The keys of a document security store and of its VRI entries, in the order of
// ValidationData.lists.
var (
	storeKeys = [3]string{"Certs", "OCSPs", "CRLs"}
	entryKeys = [3]string{"Cert", "OCSP", "CRL"}
)

// VRIKey names the entry of a signature: the SHA-1 of /Contents, padding
// included, in upper-case hexadecimal (ISO 32000-2, 12.8.4.4).
func VRIKey(contents []byte) string {
	sum := sha1.Sum(contents) //nolint:gosec // a name
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// DSS reads the document security store; nil if there is none.
//
// Errors: ErrMalformed, ErrLimit, ErrUnsupported.
func (d *Document) DSS() (*DSS, error) {
	s, err := d.readStore()
	if err != nil || !s.val.isDict() {
		return nil, err
	}
	out := &DSS{}
	for i, dst := range []*[][]byte{&out.Certs, &out.OCSPs, &out.CRLs} {
		for _, it := range s.items[i] {
			*dst = append(*dst, it.data)
		}
	}
	vri, err := d.key(s.val, "VRI")
	if err != nil || !vri.isDict() {
		return out, err
	}
	err = vri.eachPair(func(key []byte, _ value) bool {
		if len(key) == 40 {
			out.VRI = append(out.VRI, string(key))
		}
		return len(out.VRI) < maxStoreItems
	})
	return out, err
}

// stored is one stream of the store.
type stored struct {
	id   ref
	data []byte
}

// store is the security store as the file has it.
type store struct {
	id    ref   // of the dictionary; zero if it is direct or missing
	val   value // null if missing
	items [3][]stored
	left  int64
}

func (d *Document) readStore() (*store, error) {
	s := &store{val: nullValue(), left: maxStore}
	cat, err := d.catalog()
	if err != nil {
		return nil, err
	}
	v, err := cat.val.get("DSS")
	if err != nil {
		return nil, err
	}
	if id, ok := v.asRef(); ok {
		s.id = id
	}
	if s.val, err = d.resolve(v); err != nil || s.val.isNull() {
		return s, err
	}
	if !s.val.isDict() {
		return nil, malformed(s.val.off, "/DSS is no dictionary")
	}
	for i, key := range storeKeys {
		if s.items[i], err = d.readStreams(s, key); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// readStreams reads the streams that an array of references leads to.
func (d *Document) readStreams(s *store, key string) ([]stored, error) {
	arr, err := d.key(s.val, key)
	if err != nil || arr.isNull() {
		return nil, err
	}
	var out []stored
	var inner error
	err = arr.eachElem(func(e value) bool {
		id, ok := e.asRef()
		if !ok {
			inner = malformed(arr.off, "/%s holds %s, not a reference to a stream", key, brief(e.raw))
			return false
		}
		var data []byte
		if data, inner = d.streamData(s, id); inner == nil {
			out = append(out, stored{id, data})
		}
		if len(out) > maxStoreItems {
			inner = overLimit("more than %d items in /%s", maxStoreItems, key)
		}
		return inner == nil
	})
	return out, firstError(inner, err)
}

func (d *Document) streamData(s *store, id ref) ([]byte, error) {
	o, err := d.load(id)
	if err != nil {
		return nil, err
	}
	if o.stream < 0 {
		return nil, malformed(o.val.off, "object %d of the security store is no stream", id.num)
	}
	r, err := d.streamReader(o, min(s.left, maxStoreItem))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	s.left -= int64(len(data))
	return data, err
}

// PlanDSS returns the incremental update that puts validation data into the
// document security store: what is there already is kept and not doubled, and
// each signature's entry is merged. The caller writes it behind the file's last
// byte. nil if the file has all of it.
//
// Errors: those of DSS; ErrMalformed for a file whose cross-reference had to be
// repaired, since an update of it would void its signatures; ErrOptions.
func (d *Document) PlanDSS(all ValidationData, entries ...SignatureData) ([]byte, error) {
	for _, e := range entries {
		for i, list := range e.lists() {
			for _, item := range list {
				if !slices.ContainsFunc(all.lists()[i], func(b []byte) bool { return bytes.Equal(b, item) }) {
					return nil, fmt.Errorf("%w: an entry of the security store holds what the store does not", ErrOptions)
				}
			}
		}
	}
	if d.repaired {
		return nil, malformed(-1, "damaged cross-reference in a file that is already signed; a repair would void the signatures")
	}
	s, err := d.readStore()
	if err != nil {
		return nil, err
	}
	u, err := d.newUpdate()
	if err != nil {
		return nil, err
	}
	w := &storeWriter{u: u, refs: map[[32]byte]ref{}}
	if err := w.write(s, all, entries); err != nil {
		return nil, err
	}
	if len(u.objs) == 0 {
		return nil, nil
	}
	return u.bytes(d.size)
}

// storeWriter builds the update of a security store.
type storeWriter struct {
	u    *update
	dss  ref
	refs map[[32]byte]ref // streams by kind and content
}

func (w *storeWriter) write(s *store, all ValidationData, entries []SignatureData) error {
	for i, list := range s.items {
		for _, it := range list {
			w.refs[contentKey(i, it.data)] = it.id
		}
	}
	var fresh [3][]ref
	for i, list := range all.lists() {
		for _, data := range list {
			if len(data) == 0 || len(data) > maxStoreItem {
				return fmt.Errorf("%w: validation data of %d bytes", ErrOptions, len(data))
			}
			if k := contentKey(i, data); w.refs[k].num == 0 {
				w.refs[k] = w.addStream(data)
				fresh[i] = append(fresh[i], w.refs[k])
			}
		}
	}
	if err := w.root(s, len(entries) > 0 || !all.empty()); err != nil {
		return err
	}
	for i, list := range fresh {
		if len(list) > 0 {
			if err := w.u.appendTo(w.dss, storeKeys[i], joinRefs(list)); err != nil {
				return err
			}
		}
	}
	for _, e := range entries {
		if err := w.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func contentKey(kind int, data []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{byte(kind)})
	h.Write(data)
	return [32]byte(h.Sum(nil))
}

func (w *storeWriter) addStream(data []byte) ref {
	id := w.u.alloc()
	w.u.putStream(id, "", data)
	return id
}

// root makes sure that the store is an object of its own.
func (w *storeWriter) root(s *store, needed bool) error {
	if w.dss = s.id; w.dss.num != 0 && s.val.isDict() || !needed {
		return nil
	}
	cat, err := w.u.catalog()
	if err != nil {
		return err
	}
	body := []byte("<< /Type /DSS >>")
	if s.val.isDict() {
		now, err := cat.val.get("DSS")
		if err != nil {
			return err
		}
		body = now.raw
	}
	w.dss = w.u.alloc()
	w.u.put(w.dss, body)
	return w.u.setKey(cat.id, "DSS", w.dss.raw())
}

// entry merges what belongs to one signature.
func (w *storeWriter) entry(e SignatureData) error {
	name := VRIKey(e.Contents)
	vri, err := w.below(w.dss, "VRI", "<< >>")
	if err != nil {
		return err
	}
	id, err := w.below(vri, name, "<< /Type /VRI >>")
	if err != nil {
		return err
	}
	for i, list := range e.lists() {
		var add []ref
		for _, data := range list {
			r := w.refs[contentKey(i, data)]
			there, err := w.lists(id, entryKeys[i], r)
			if err != nil {
				return err
			}
			if !there && !slices.Contains(add, r) {
				add = append(add, r)
			}
		}
		if len(add) > 0 {
			if err := w.u.appendTo(id, entryKeys[i], joinRefs(add)); err != nil {
				return err
			}
		}
	}
	return nil
}

// below returns the object that a key of a dictionary leads to, made an object
// of its own if it is not there or is direct.
func (w *storeWriter) below(dict ref, key, empty string) (ref, error) {
	parent, err := w.u.current(dict)
	if err != nil {
		return ref{}, err
	}
	v, err := parent.get(key)
	if err != nil {
		return ref{}, err
	}
	id, indirect := v.asRef()
	if indirect {
		if v, err = w.u.current(id); err != nil {
			return ref{}, err
		}
	}
	switch {
	case v.isDict() && indirect:
		return id, nil
	case v.isDict():
		empty = string(v.raw)
	case !v.isNull():
		return ref{}, malformed(parent.off, "/%s is no dictionary", key)
	}
	id = w.u.alloc()
	w.u.put(id, []byte(empty))
	return id, w.u.setKey(dict, key, id.raw())
}

// lists tells whether the array under a key holds a reference.
func (w *storeWriter) lists(dict ref, key string, r ref) (found bool, err error) {
	v, err := w.u.current(dict)
	if err != nil {
		return false, err
	}
	arr, err := v.get(key)
	if err != nil {
		return false, err
	}
	if id, ok := arr.asRef(); ok {
		if arr, err = w.u.current(id); err != nil {
			return false, err
		}
	}
	if !arr.isArray() {
		return false, nil
	}
	err = arr.eachElem(func(e value) bool {
		id, ok := e.asRef()
		found = ok && id == r
		return !found
	})
	return found, err
}

func joinRefs(list []ref) []byte {
	var b []byte
	for i, r := range list {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, r.raw()...)
	}
	return b
}
