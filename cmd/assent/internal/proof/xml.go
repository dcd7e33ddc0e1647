package proof

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
)

// matchDetached tells whether a file is one that was approved for a detached signature, or to stand inside of one: its bytes
// have the digest that was approved, from which follows what the key signed (VerifyEvidence has rebuilt it).
func (res *Result) matchDetached(r *sap.Receipt, sad *sap.SAD, file io.ReaderAt, size int64) (bool, error) {
	for i, it := range sad.Items {
		if it.XAdES == nil || it.XAdES.Form != sap.XAdESDetached && it.XAdES.Form != sap.XAdESContained || i >= len(r.Items) {
			continue
		}
		sum, err := digestOf(it, file, size)
		if err != nil {
			return false, err
		}
		name, approved, ok := fileOf(it, sum)
		if !ok {
			continue
		}
		for _, f := range filesOf(it) {
			if f.Name != name {
				res.Missing = append(res.Missing, f.Name)
			}
		}
		return true, res.matched(r, it, i, name, approved)
	}
	return false, nil
}

func digestOf(it sap.Item, file io.ReaderAt, size int64) ([]byte, error) {
	hash, err := algo.ParseHash(it.Hash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	h := hash.New()
	_, err = io.Copy(h, io.NewSectionReader(file, 0, size))
	return h.Sum(nil), err
}

// matched fills in what was compared with a file whose digest is the approved one.
func (res *Result) matched(r *sap.Receipt, it sap.Item, i int, name string, approved []byte) error {
	dtbsr, err := sap.UnB64(it.DTBSR)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	print := hex.EncodeToString(approved)
	res.Item, res.Field, res.Name, res.Shown, res.Whole = i, it.XAdES.ID, name, r.Items[i].Shown, true
	res.InFile, res.Approved, res.Signed, res.DTBSR = print, print, print, hex.EncodeToString(dtbsr)
	return nil
}

// filesOf are the files of an approval, in their order.
func filesOf(it sap.Item) []sap.XAdESObject {
	return append([]sap.XAdESObject{{Name: it.Name, Doc: it.Doc}}, it.XAdES.Further()...)
}

// fileOf finds, among the files of an approval, the one with a digest.
func fileOf(it sap.Item, sum []byte) (name string, approved []byte, ok bool) {
	for _, f := range filesOf(it) {
		if approved, err := sap.UnB64(f.Doc); err == nil && bytes.Equal(approved, sum) {
			return f.Name, approved, true
		}
	}
	return "", nil, false
}

// matchXML finds the signature of the receipt in an XML document and compares every step
// between the document's canonical octets, which are computed anew here, and the key.
func (res *Result) matchXML(r *sap.Receipt, sad *sap.SAD, cert *x509.Certificate, file io.ReaderAt, size int64) error {
	d, err := xmlsig.Read(file, size, c14n.Limits{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	for i := range d.Signatures {
		s := &d.Signatures[i]
		value, err := s.SignerValue(cert)
		if err != nil {
			continue // of another key
		}
		if item := itemOf(r, value); item >= 0 {
			res.Item, res.Field = item, s.ID
			res.Name, res.Shown = sad.Items[item].Name, r.Items[item].Shown
			return res.compareXML(d, s, sad, item, cert, file)
		}
	}
	return fmt.Errorf("%w: none of its %d signatures has the receipt's signature value", ErrFile, len(d.Signatures))
}

func (res *Result) compareXML(d *xmlsig.Document, s *xmlsig.Signature, sad *sap.SAD, i int, cert *x509.Certificate, file io.ReaderAt) error {
	it := sad.Items[i]
	if it.Kind != sap.KindXAdES {
		return fmt.Errorf("%w: the approval was of a digest (%s), not of this document", ErrChanged, it.Kind)
	}
	alg, err := algo.Parse(sad.Bind.Alg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	c, err := d.Check(file, s, c14n.Limits{})
	if errors.Is(err, xmlsig.ErrDetached) {
		return fmt.Errorf("%w: it is a detached signature; compare the receipt with the file that was signed, %q", ErrFile, it.Name)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	approved, err := sap.UnB64(it.Doc)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	data := c.Data()
	if len(data) != 1+len(it.XAdES.Further()) || len(data)+1 != len(c.Covers) {
		return fmt.Errorf("%w: the signature covers %d parts of the file, approved were %d", ErrChanged, len(data), 1+len(it.XAdES.Further()))
	}
	for i := range data {
		if !covers(it.XAdES, s, i, data[i]) {
			return fmt.Errorf("%w: the signature covers other parts of the file than those that were approved", ErrChanged)
		}
	}
	switch it.XAdES.Form {
	case sap.XAdESEnveloped:
		res.Whole = true
	case sap.XAdESParallel:
		res.Whole = len(d.Signatures) == 1
	case sap.XAdESBeside:
	default: // what is inside of the signature, if nothing is around that
		res.Whole = s.Element == d.Index.Root && !d.Instructed && len(c.Stray) == 0
	}
	res.InFile, res.Approved, res.Signed = hex.EncodeToString(c.Digests[0]), hex.EncodeToString(approved), hex.EncodeToString(s.References[0].Digest)
	if !bytes.Equal(c.Digests[0], approved) {
		return fmt.Errorf("%w: the digest of the file is %s, approved was %s, signed was %s", ErrChanged, res.InFile, res.Approved, res.Signed)
	}
	for i, o := range it.XAdES.Further() {
		if got := sap.B64(c.Digests[i+1]); got != o.Doc {
			return fmt.Errorf("%w: the digest of %q in the file is %s, approved was %s", ErrChanged, o.Name, got, o.Doc)
		}
	}
	par, err := sap.XAdESParameters(it, cert.Raw, alg)
	if err != nil {
		return err
	}
	info, err := xades.SignedInfo(par)
	if err != nil {
		return err
	}
	dtbsr, err := sap.Rebuild(it, cert.Raw, alg, nil)
	if err != nil {
		return err
	}
	res.DTBSR = hex.EncodeToString(dtbsr)
	switch {
	case !bytes.Equal(info, c.Info):
		return fmt.Errorf("%w: SignedInfo in the file is not what follows from the approval", ErrChanged)
	case !c.Certificate.Equal(cert):
		return fmt.Errorf("%w: the certificate in the file is not the receipt's", ErrChanged)
	}
	return nil
}

// covers tells whether a reference is to what the approved form is over, as its data object i.
func covers(x *sap.XAdES, s *xmlsig.Signature, i int, c xmlsig.Coverage) bool {
	inside := !c.Document && c.File == "" && c.Less == "" && c.ID == x.ID+"-object" && s.Element.Contains(c.Element)
	switch x.Form {
	case sap.XAdESEnveloped:
		return c.Document && !c.Content && c.Less == "itself"
	case sap.XAdESParallel:
		return c.Document && !c.Content && c.Less == "signatures"
	case sap.XAdESBeside:
		id := x.Objects.Part
		if i > 0 {
			id = x.Objects.More[i-1].Name
		}
		return !c.Document && c.File == "" && c.Less == "" && !c.Content && c.ID == id && !s.Element.Contains(c.Element)
	case sap.XAdESEnveloping:
		return inside && !c.Content
	case sap.XAdESContained:
		return inside && c.Content
	}
	return false
}
