package oauth

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // sizes of the digests that are served
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/strictjson"
	"github.com/assent-sign/assent/sap"
)

// Bounds of the CSC parameters.
const (
	MaxHashes      = 256 // per authorization
	maxDescription = 500 // characters, clause 8.4.2
	maxText        = 2048
	maxID          = 2*sap.MaxIDLen + 1
)

// ErrParam says which CSC parameter is wrong; the text after it is one of the
// specification's and may be sent to the client.
var ErrParam = errors.New("oauth: authorization parameter is wrong")

// paramError carries the specification's text.
type paramError struct {
	text   string
	detail bool // came from authorization_details
}

func (e *paramError) Error() string { return e.text }
func (e *paramError) Unwrap() error { return ErrParam }

func missing(name string) error {
	return &paramError{text: "Missing (or invalid type) string parameter " + name}
}
func invalid(name string) error { return &paramError{text: "Invalid parameter " + name} }

// CredentialRequest is what scope credential asks for: signatures of one
// credential over exactly these digests (clause 8.4.2, SCAL2).
type CredentialRequest struct {
	CredentialID string      `json:"credential"`
	Hash         crypto.Hash `json:"hash"`
	Hashes       [][]byte    `json:"hashes"`
	Labels       []string    `json:"labels,omitempty"`      // what the client calls each digest
	SignAlgo     string      `json:"sign_algo,omitempty"`   // ours: the full OID, when Hash leaves a choice
	Operation    string      `json:"operation,omitempty"`   // ours: a prepared operation of this client
	Description  string      `json:"description,omitempty"` // shown to the signer, untrusted
	ClientData   string      `json:"-"`                     // logged, never interpreted
	Lang         string      `json:"lang,omitempty"`
	FromDetails  bool        `json:"details,omitempty"`
}

// ParseCredentialRequest reads the CSC parameters of a pushed authorization
// request: either the plain ones or one authorization_details entry. Parameter
// lists must not repeat a name; the front checked that.
func ParseCredentialRequest(form url.Values) (*CredentialRequest, error) {
	if form.Get("account_token") != "" {
		return nil, &paramError{text: "Parameter account_token is not offered by this service"}
	}
	if form.Get("signatureQualifier") != "" {
		return nil, &paramError{text: "Parameter signatureQualifier is not offered by this service, send credentialID"}
	}
	req := &CredentialRequest{
		SignAlgo: form.Get("signAlgo"), Operation: form.Get("operation"),
		Description: form.Get("description"), ClientData: form.Get("clientData"), Lang: form.Get("lang"),
	}
	if err := req.checkTexts(); err != nil {
		return nil, err
	}
	var err error
	if details := form.Get("authorization_details"); details != "" {
		for _, name := range []string{"credentialID", "hashes", "hash", "hashAlgorithmOID", "numSignatures"} {
			if form.Get(name) != "" {
				return nil, &paramError{text: "Parameter " + name + " together with authorization_details", detail: true}
			}
		}
		err = req.fromDetails([]byte(details))
		if pe := (*paramError)(nil); errors.As(err, &pe) {
			pe.detail = true
		}
	} else {
		err = req.fromForm(form)
	}
	if err != nil {
		return nil, err
	}
	return req, nil
}

func (req *CredentialRequest) checkTexts() error {
	if n := utf8.RuneCountInString(req.Description); n > maxDescription || !showable(req.Description) {
		return invalid("description")
	}
	if len(req.ClientData) > maxText || !utf8.ValidString(req.ClientData) {
		return invalid("clientData")
	}
	if len(req.Lang) > 35 {
		return invalid("lang")
	}
	if len(req.Operation) > sap.MaxIDLen {
		return invalid("operation")
	}
	if len(req.SignAlgo) > maxID {
		return invalid("signAlgo")
	}
	return nil
}

// showable refuses what could change how a text looks or is read. Length is the
// caller's matter.
func showable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !sap.Displayable(string(r)) {
			return false
		}
	}
	return true
}

func (req *CredentialRequest) fromForm(form url.Values) error {
	req.CredentialID = form.Get("credentialID")
	list := form.Get("hashes")
	if list == "" {
		list = form.Get("hash") // v1 name, sent by some v2 clients
	}
	var hashes []string
	if list != "" {
		if strings.Count(list, ",")+strings.Count(list, ";") >= MaxHashes {
			return &paramError{text: "Numbers of signatures is too high"}
		}
		hashes = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' })
		if len(hashes) == 0 {
			return &paramError{text: "Empty hash array"}
		}
	}
	n := -1
	if s := form.Get("numSignatures"); s != "" {
		v, err := strconv.Atoi(s)
		if err != nil || strconv.Itoa(v) != s {
			return &paramError{text: "Missing (or invalid type) integer parameter numSignatures"}
		}
		n = v
		if n < 1 {
			return &paramError{text: "Invalid value for parameter numSignatures"}
		}
	}
	return req.finish(form.Get("hashAlgorithmOID"), hashes, n)
}

type credentialDetail struct {
	Type               string         `json:"type"`
	CredentialID       string         `json:"credentialID"`
	SignatureQualifier string         `json:"signatureQualifier"`
	DocumentDigests    []detailDigest `json:"documentDigests"`
	HashAlgorithmOID   string         `json:"hashAlgorithmOID"`
	NumSignatures      *int           `json:"numSignatures"`
}

type detailDigest struct {
	Hash     string `json:"hash"`
	Label    string `json:"label"`
	HashType string `json:"hashType"`
}

func (req *CredentialRequest) fromDetails(text []byte) error {
	var list []credentialDetail
	if err := strictjson.UnmarshalLax(text, &list); err != nil {
		return &paramError{text: "authorization_details is not an acceptable JSON array"}
	}
	if len(list) != 1 {
		return &paramError{text: "authorization_details must have exactly one entry"}
	}
	d := list[0]
	if d.Type != csc.DetailCredential && d.Type != csc.DetailCredential2025 {
		return &paramError{text: "authorization_details type is not served"}
	}
	if d.SignatureQualifier != "" {
		return &paramError{text: "Parameter signatureQualifier is not offered by this service, send credentialID"}
	}
	req.CredentialID, req.FromDetails = d.CredentialID, true
	n := -1
	if d.NumSignatures != nil {
		if n = *d.NumSignatures; n < 1 {
			return &paramError{text: "Invalid value for parameter numSignatures"}
		}
	}
	if len(d.DocumentDigests) > MaxHashes {
		return &paramError{text: "Numbers of signatures is too high"}
	}
	var hashes []string
	for _, dd := range d.DocumentDigests {
		// sdr (the document's digest) would need the document's format to become
		// what the key signs; only a DTBS/R can be signed as it is.
		if dd.HashType != "" && !strings.EqualFold(dd.HashType, "dtbsr") {
			return invalid("hashType")
		}
		if utf8.RuneCountInString(dd.Label) > sap.MaxText || !showable(dd.Label) {
			return invalid("label")
		}
		hashes = append(hashes, dd.Hash)
		req.Labels = append(req.Labels, dd.Label)
	}
	return req.finish(d.HashAlgorithmOID, hashes, n)
}

func (req *CredentialRequest) finish(oid string, hashes []string, n int) error {
	if len(req.CredentialID) > maxID {
		return invalid("credentialID")
	}
	if req.CredentialID == "" && req.Operation == "" {
		return missing("credentialID")
	}
	if len(hashes) == 0 && req.Operation == "" {
		// Without digests the approval could not say what it approves (SCAL2).
		return missing("hashes")
	}
	if len(hashes) == 0 && oid == "" {
		return nil // the operation's own
	}
	if oid == "" {
		return missing("hashAlgorithmOID")
	}
	h, err := csc.ParseHash(oid)
	if err != nil {
		return invalid("hashAlgorithmOID")
	}
	req.Hash = h
	for _, s := range hashes {
		b, err := decodeHash(s)
		if err != nil {
			return &paramError{text: "Invalid Base64 hash string parameter"}
		}
		if len(b) != h.Size() {
			return &paramError{text: "Invalid digest value length"}
		}
		req.Hashes = append(req.Hashes, b)
	}
	if n >= 0 && n != len(req.Hashes) {
		// More signatures than digests would be an approval of unknown content.
		return &paramError{text: "Invalid value for parameter numSignatures: it must equal the number of hashes"}
	}
	return nil
}

// decodeHash takes standard and URL-safe Base64, padded or not; a plus sign
// that a form decoder turned into a space is turned back. Clients differ (6.2,
// 6.4 of our notes); what counts are the bytes.
func decodeHash(s string) ([]byte, error) {
	if len(s) > 128 {
		return nil, ErrParam
	}
	s = strings.NewReplacer(" ", "+", "-", "+", "_", "/").Replace(s)
	return base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}

// SameHashes tells whether two lists are equal, element by element.
func SameHashes(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// duplicate returns a name that is there more than once (RFC 6749 section 3.1).
func duplicate(form url.Values) (string, bool) {
	for name, values := range form {
		if len(values) > 1 {
			return name, true
		}
	}
	return "", false
}

// sameDetails tells whether two authorization_details ask for the same bytes.
func sameDetails(a, b []byte) error {
	var x, y CredentialRequest
	if err := errors.Join(x.fromDetails(a), y.fromDetails(b)); err != nil {
		return err
	}
	if x.CredentialID != y.CredentialID || x.Hash != y.Hash || !SameHashes(x.Hashes, y.Hashes) {
		return fmt.Errorf("%w: authorization_details differ from what was authorized", ErrParam)
	}
	return nil
}
