package api

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// Envelope properties of XAdES in CSC 11.11. Internally detached is that of ETSI; what it is over, referenceUri says.
const (
	EnvelopeEnveloped  = "Enveloped" // the default
	EnvelopeEnveloping = "Enveloping"
	EnvelopeDetached   = "Detached"
	EnvelopeBeside     = "Internally detached"
)

var xadesEnvelopes = []string{EnvelopeEnveloped, EnvelopeEnveloping, EnvelopeDetached, EnvelopeBeside}

// xadesProps are the signed properties of XAdES that have one text as their value: a claimed role, and the URI of a commitment.
var xadesProps = map[string]string{"SignerRoleV2": "claimed_role", "CommitmentTypeIndication": "commitment_types"}

// making is how one document of signDoc is signed.
type making struct {
	worker string
	name   func(i int, body []byte) string // of the upload
	params map[string]string
	object bool // the answer is a SignatureObject
}

// ofPDF is the making of a PAdES signature.
func (a *API) ofPDF(d documentIn) (*making, error) {
	switch {
	case a.cfg.SignDoc.Worker == "":
		return nil, refuse("Invalid parameter signature_format")
	case d.Envelope != "" && !strings.EqualFold(d.Envelope, "Revision"):
		return nil, refuse("Invalid parameter signed_envelope_property")
	case d.Reference != "":
		return nil, refuse("Invalid parameter referenceUri: only of XAdES signatures that are detached")
	}
	params, err := signedProps(d.Props, padesProps)
	return &making{worker: a.cfg.SignDoc.Worker, params: params, name: func(i int, _ []byte) string { return numbered(i, ".pdf") }}, err
}

// ofXML is the making of an XAdES signature. referenceUri names the element that an internally detached signature is
// over, and the file that a detached one is over, by which a verifier finds it.
func (a *API) ofXML(d documentIn) (*making, error) {
	envelope := ""
	for _, e := range xadesEnvelopes {
		if strings.EqualFold(e, d.Envelope) || d.Envelope == "" && e == EnvelopeEnveloped {
			envelope = e
		}
	}
	worker := a.cfg.SignDoc.XAdES[envelope]
	switch {
	case len(a.cfg.SignDoc.XAdES) == 0:
		return nil, refuse("Invalid parameter signature_format")
	case worker == "":
		return nil, refuse("Invalid parameter signed_envelope_property")
	}
	params, err := signedProps(d.Props, xadesProps)
	if err != nil {
		return nil, err
	}
	m := &making{worker: worker, params: params, object: envelope == EnvelopeDetached, name: func(i int, _ []byte) string { return numbered(i, ".xml") }}
	return m, m.refer(envelope, d.Reference)
}

// refer takes the referenceUri.
func (m *making) refer(envelope, reference string) error {
	bad := refuse("Invalid parameter referenceUri: want # and the identifier of an element of an internally detached signature, the name of the file of a detached one, else none")
	switch envelope {
	case EnvelopeBeside:
		id, ok := strings.CutPrefix(reference, "#")
		if !ok || id == "" || strings.ContainsAny(id, ", ") {
			return bad
		}
		m.params["reference_ids"] = id
	case EnvelopeDetached:
		name, err := url.PathUnescape(reference)
		if err != nil || strings.ContainsAny(name, `/\`) || reference != "" && sap.FileURI(name) != reference {
			return bad
		}
		m.name = func(i int, body []byte) string {
			if name != "" {
				return name
			}
			return numbered(i, ending(body))
		}
	default:
		if reference != "" {
			return bad
		}
	}
	return nil
}

// ending is that of the name of a file that came without one, as the worker takes it: a PDF, XML or text.
func ending(body []byte) string {
	switch head := body[:min(len(body), 1100)]; {
	case bytes.Contains(head, []byte("%PDF-")):
		return ".pdf"
	case bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n"), []byte("<")):
		return ".xml"
	}
	return ".txt"
}

// objects tells whether the signed documents of an operation are signatures beside their files.
func objects(op *signapp.Operation) bool {
	return len(op.Items) > 0 && op.Items[0].Beside()
}

// serves tells whether signDoc is.
func (s SignDoc) serves() bool { return s.Worker != "" || len(s.XAdES) > 0 }
