package api_test

import (
	"encoding/base64"
	"testing"

	"github.com/assent-sign/assent/api"
)

// CSC 11.11, ADE-02: what is no XAdES signature of a worker that there is, is refused with the member that is wrong, and nobody is asked.
func TestSignDocXMLRefusals(t *testing.T) {
	w := newWorld(t, func(c *api.Config) {
		c.SignDoc.XAdES = map[string]string{api.EnvelopeEnveloped: "xades", api.EnvelopeDetached: "beside", api.EnvelopeBeside: "parts"}
	})
	token := w.serviceToken("shop")
	const envelope, reference = "Invalid parameter signed_envelope_property", "Invalid parameter referenceUri: want # and the identifier of an element of an internally detached signature, the name of the file of a detached one, else none"
	text := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	prop := func(name, value string) []any {
		return []any{map[string]any{"attribute_name": name, "attribute_value": text(value)}}
	}
	for name, c := range map[string]struct {
		change map[string]any
		says   string
	}{
		"no worker":                {map[string]any{".signed_envelope_property": "Enveloping"}, envelope},
		"of PAdES":                 {map[string]any{".signed_envelope_property": "Revision"}, envelope},
		"a level less":             {map[string]any{".conformance_level": "Ades-B-LTA"}, "Invalid parameter conformance_level"},
		"reference of enveloped":   {map[string]any{".referenceUri": "#h"}, reference},
		"no element":               {map[string]any{".signed_envelope_property": "Internally detached"}, reference},
		"several elements":         {map[string]any{".signed_envelope_property": "Internally detached", ".referenceUri": "#a,b"}, reference},
		"an address":               {map[string]any{".signed_envelope_property": "Detached", ".referenceUri": "https://example.org/a.txt"}, reference},
		"another folder":           {map[string]any{".signed_envelope_property": "Detached", ".referenceUri": "../a.txt"}, reference},
		"another folder, encoded":  {map[string]any{".signed_envelope_property": "Detached", ".referenceUri": "b%2Fa.txt"}, reference},
		"a folder of Windows":      {map[string]any{".signed_envelope_property": "Detached", ".referenceUri": "b%5Ca.txt"}, reference},
		"a name not encoded":       {map[string]any{".signed_envelope_property": "Detached", ".referenceUri": "a b.txt"}, reference},
		"a property of PAdES":      {map[string]any{".signed_props": prop("Reason", "x")}, "Invalid parameter signed_props (Reason)"},
		"a property of many parts": {map[string]any{".signed_props": prop("SignatureProductionPlaceV2", "x")}, "Invalid parameter signed_props (SignatureProductionPlaceV2)"},
		"a text that turns":        {map[string]any{".signed_props": prop("SignerRoleV2", "\u202ex")}, "Invalid parameter signed_props (SignerRoleV2)"},
		"digests":                  {map[string]any{"documents": nil, "documentDigests": map[string]any{}}, "Invalid object parameter documentDigests: send documents"},
		"CAdES":                    {map[string]any{".signature_format": "C"}, "Invalid parameter signature_format"},
		"reference of PAdES":       {map[string]any{".signature_format": "P", ".referenceUri": "a.pdf"}, "Invalid parameter referenceUri: only of XAdES signatures that are detached"},
	} {
		body := map[string]any{".signature_format": "X", ".document": text("<a/>")}
		for k, v := range c.change {
			body[k] = v
		}
		w.refused(w.call("POST", signDocPath, token, docBody(w.alice, body)), 400, "invalid_request", c.says)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	mixed := docBody(w.alice, nil)
	detached := map[string]any{"document": text("<a/>"), "signature_format": "X", "signed_envelope_property": "Detached", "conformance_level": "Ades-B-B", "signAlgo": "1.2.840.10045.4.3.2"}
	mixed["documents"] = append(mixed["documents"].([]any), detached)
	w.refused(w.call("POST", signDocPath, token, mixed), 400, "invalid_request", "Invalid array parameter documents: either all signatures are detached, or none")
	w.refused(w.call("POST", signDocPath, w.serviceToken("small"), docBody(w.bob, map[string]any{".signature_format": "X"})), 403, "access_denied", "")
	if w.app.creates != 0 {
		t.Errorf("%d operations were created by refused requests", w.app.creates)
	}
}
