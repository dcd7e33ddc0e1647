package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
)

// cscLevels are the names of levels in CSC (clause 11.11) and here.
var cscLevels = map[string]string{"B-B": "Ades-B-B", "B-T": "Ades-B-T", "B-LT": "Ades-B-LT", "B-LTA": "Ades-B-LTA"}

func (a *API) getInfo(c *call) error {
	out, err := a.info(c, members{})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// info says what is really served (CSC 11.1): methods come from the route
// table, algorithms from the closed set.
func (a *API) info(_ *call, m members) (csc.Info, error) {
	lang, err := m.str("lang")
	if err != nil || len(lang) > 35 {
		return csc.Info{}, refuse("Invalid parameter lang")
	}
	out := csc.Info{
		Specs: csc.Version, Name: a.cfg.Name, Logo: a.cfg.BaseURL + pathLogo, Region: a.cfg.Region, Lang: "en-US",
		Description: a.cfg.Description, AuthType: []string{"oauth2code", "oauth2client"}, OAuth2: a.cfg.BaseURL + pathCSC,
		AsynchronousMode: true, SignAlgorithms: csc.SignAlgorithms{AlgoParams: []string{}},
		SignatureFormats:   csc.SignatureFormats{Formats: []string{}, EnvelopeProperties: [][]string{}},
		ConformanceLevels:  []string{},
		SupportedHashTypes: []string{"dtbsr"}, SupportsRAR: true, OperatorDescription: a.cfg.Profile,
	}
	for _, rt := range a.routes() {
		method, ok := strings.CutPrefix(rt.pattern, pathCSC+"/")
		if ok && !strings.Contains(method, "{") && !slices.Contains(out.Methods, method) && (method != csc.MethodSignDoc || a.cfg.SignDoc.serves()) {
			out.Methods = append(out.Methods, method)
		}
	}
	for _, alg := range algo.All() {
		if oid := csc.SignOID(alg); !slices.Contains(out.SignAlgorithms.Algos, oid) {
			out.SignAlgorithms.Algos = append(out.SignAlgorithms.Algos, oid)
		}
	}
	a.addSignDoc(&out)
	return out, nil
}

// addSignDoc says which documents are signed, and how.
func (a *API) addSignDoc(out *csc.Info) {
	s := a.cfg.SignDoc
	add := func(format string, envelopes []string, types ...string) {
		f := &out.SignatureFormats
		f.Formats, f.EnvelopeProperties = append(f.Formats, format), append(f.EnvelopeProperties, envelopes)
		out.DocumentTypes = append(out.DocumentTypes, types...)
	}
	if s.Worker != "" {
		add("P", []string{"Revision"}, "application/pdf")
	}
	if len(s.XAdES) > 0 {
		var envelopes []string
		for _, e := range xadesEnvelopes {
			if s.XAdES[e] != "" {
				envelopes = append(envelopes, e)
			}
		}
		add("X", envelopes, "application/xml")
	}
	for _, l := range s.Levels {
		out.ConformanceLevels = append(out.ConformanceLevels, cscLevels[l])
	}
}
