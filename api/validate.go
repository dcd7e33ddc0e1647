package api

import (
	"fmt"
	"net/http"

	"github.com/assent-sign/assent/api/strictjson"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// NewValidation is the body that has an upload judged.
type NewValidation struct {
	Document string `json:"document"`
	Worker   string `json:"worker"`
	// Detached are the uploads that a detached signature is over.
	Detached []DetachedFile `json:"detached"`
	// Parts are the identifiers of the elements of XML that the client goes by.
	Parts []string `json:"parts"`
}

// DetachedFile is an upload beside a signature. Name is what the signature calls it; empty for the name of the
// upload.
type DetachedFile struct {
	Document string `json:"document"`
	Name     string `json:"name"`
}

// validate answers the report of a worker about an upload of the client.
func (a *API) validate(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	var in NewValidation
	if err := strictjson.Unmarshal(text, &in); err != nil {
		return err
	}
	if in.Document == "" || in.Worker == "" {
		return say(errParameter, "document and worker must be named")
	}
	if !c.id.Client.MayUse(in.Worker) {
		return say(errClientPolicy, fmt.Sprintf("the client may not use worker %q", clean(in.Worker)))
	}
	if !sap.ValidID(in.Document) {
		return signapp.ErrNotFound
	}
	var beside []signapp.Beside
	for _, d := range in.Detached {
		if !sap.ValidID(d.Document) {
			return signapp.ErrNotFound
		}
		beside = append(beside, signapp.Beside{Document: d.Document, Name: d.Name})
	}
	report, err := a.cfg.Documents.Validate(c.ctx(), c.client(), in.Document, in.Worker, in.Parts, beside...)
	if err != nil {
		return err
	}
	c.writeUntil(int64(len(report)))
	return c.raw(http.StatusOK, "application/json", report)
}
