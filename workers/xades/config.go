package xades

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// Levels of EN 319 132-1 that this worker makes.
const (
	LevelB   = "B-B"
	LevelT   = "B-T"
	LevelLT  = "B-LT"
	LevelLTA = "B-LTA"
)

var levels = []string{LevelB, LevelT, LevelLT, LevelLTA}

const (
	defaultSize = 100 << 20
	largestSize = 1 << 30
)

// requestParams are the properties that a request may have too.
var requestParams = []string{"reference_ids", "mime_type", "description", "commitment_types", "claimed_role", "city", "street", "state", "postal_code", "country"}

// Kind is this package's entry in the table of kinds.
func Kind() workers.Kind {
	own := []string{"level", "tsa", "signature_packaging", "enveloping_content", "parallel", "max_size", "policy_id", "policy_hash"}
	return workers.Kind{New: build, Properties: slices.Concat(own, requestParams, workers.KeeperProperties())}
}

type worker struct {
	name     string
	level    string
	form     string
	max      int64
	defaults map[string]string
	policy   sap.XAdESPolicy
	stamper  workers.Stamper
	keep     *workers.Keeper
	rehearse *workers.Rehearser
	random   io.Reader
	now      func() time.Time
}

func build(_ context.Context, env workers.Env) (any, error) {
	p := env.Config.Properties
	w := &worker{
		name: env.Config.Name, level: LevelB, form: sap.XAdESEnveloped, max: defaultSize, defaults: map[string]string{},
		rehearse: workers.NewRehearser(env.ThrowAways), random: env.Random, now: env.Now,
	}
	if v := p["level"]; v != "" {
		w.level = v
	}
	if err := knownLevel(w.level); err != nil {
		return nil, fmt.Errorf("%w: level: %w", workers.ErrConfig, err)
	}
	if err := w.options(p); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
	}
	var err error
	if w.keep, err = workers.NewKeeper(env); err != nil {
		return nil, err
	}
	if p["tsa"] != "" {
		if w.stamper, err = env.Stamper(p["tsa"]); err != nil {
			return nil, fmt.Errorf("tsa: %w", err)
		}
	}
	if err := w.reaches(w.level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
	}
	return w, nil
}

func knownLevel(l string) error {
	if !slices.Contains(levels, l) {
		return fmt.Errorf("%q is not one of %s", l, strings.Join(levels, ", "))
	}
	return nil
}

// reaches tells what the worker lacks for a level.
func (w *worker) reaches(level string) error {
	if level != LevelB && w.stamper == nil {
		return fmt.Errorf("worker %q has no time-stamp authority (property tsa) for the level %s", w.name, level)
	}
	if (level == LevelLT || level == LevelLTA) && w.keep == nil {
		return fmt.Errorf("worker %q has no trust anchors (property trust_anchors) for the level %s", w.name, level)
	}
	return nil
}

// options reads the properties that are about the signature's form and content.
func (w *worker) options(p map[string]string) error {
	if err := w.packaging(p); err != nil {
		return err
	}
	if v := p["max_size"]; v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > largestSize {
			return fmt.Errorf("max_size: want bytes, 1 to %d, got %q", int64(largestSize), v)
		}
		w.max = n
	}
	for _, k := range requestParams {
		w.defaults[k] = p[k]
	}
	if w.defaults["mime_type"] == "" && w.form != sap.XAdESContained && w.form != sap.XAdESDetached {
		w.defaults["mime_type"] = string(contentXML)
	}
	var err error
	if w.policy, err = readPolicy(p["policy_id"], p["policy_hash"]); err != nil {
		return err
	}
	probe := map[string]string{}
	if w.form == sap.XAdESBeside && p["reference_ids"] == "" {
		probe["reference_ids"] = "each-request-says-it"
	}
	_, err = w.properties(probe, "id", time.Unix(1, 0), string(contentXML))
	return err
}

// packaging reads where the signature stands and what it is over.
func (w *worker) packaging(p map[string]string) error {
	forms := map[string]string{"": sap.XAdESEnveloped, "ENVELOPED": sap.XAdESEnveloped, "ENVELOPING": sap.XAdESEnveloping, "DETACHED": sap.XAdESDetached, "INTERNALLY_DETACHED": sap.XAdESBeside}
	var ok bool
	if w.form, ok = forms[p["signature_packaging"]]; !ok {
		return fmt.Errorf("signature_packaging: %q is not one of ENVELOPED, ENVELOPING, DETACHED, INTERNALLY_DETACHED", p["signature_packaging"])
	}
	switch v := p["enveloping_content"]; {
	case v != "" && w.form != sap.XAdESEnveloping:
		return fmt.Errorf("enveloping_content: only of signature_packaging ENVELOPING")
	case v == "BASE64":
		w.form = sap.XAdESContained
	case v != "" && v != "XML":
		return fmt.Errorf("enveloping_content: %q is not one of XML, BASE64", v)
	}
	switch v := p["parallel"]; v {
	case "", "false":
	case "true":
		if w.form != sap.XAdESEnveloped {
			return fmt.Errorf("parallel: only an enveloped signature is in a document that others could sign too")
		}
		w.form = sap.XAdESParallel
	default:
		return fmt.Errorf("parallel: want true or false, got %q", v)
	}
	return nil
}

// readPolicy reads policy_id and policy_hash.
func readPolicy(id, digest string) (sap.XAdESPolicy, error) {
	if id == "" && digest == "" {
		return sap.XAdESPolicy{}, nil
	}
	name, text, _ := strings.Cut(digest, ":")
	h, err := algo.ParseHash(name)
	if err != nil || id == "" {
		return sap.XAdESPolicy{}, fmt.Errorf("policy_id and policy_hash belong together, and policy_hash is sha256:BASE64 (or sha384, sha512); got %q", digest)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != h.Size() {
		return sap.XAdESPolicy{}, fmt.Errorf("policy_hash: %q is not the base64 of a %s digest", text, name)
	}
	return sap.XAdESPolicy{ID: id, Hash: name, Digest: sap.B64(sum)}, nil
}

// commitments by the names that operators know.
var commitments = map[string]string{
	"PROOF_OF_APPROVAL": "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval",
	"PROOF_OF_CREATION": "http://uri.etsi.org/01903/v1.2.2#ProofOfCreation",
	"PROOF_OF_DELIVERY": "http://uri.etsi.org/01903/v1.2.2#ProofOfDelivery",
	"PROOF_OF_ORIGIN":   "http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin",
	"PROOF_OF_RECEIPT":  "http://uri.etsi.org/01903/v1.2.2#ProofOfReceipt",
	"PROOF_OF_SENDER":   "http://uri.etsi.org/01903/v1.2.2#ProofOfSender",
}

func readCommitments(v string) ([]string, error) {
	out := []string{}
	if v == "" {
		return out, nil
	}
	for _, name := range strings.Split(v, ",") {
		name = strings.TrimSpace(name)
		uri, ok := commitments[name]
		if !ok {
			if uri = name; !strings.Contains(name, ":") {
				return nil, fmt.Errorf("commitment_types: %q is no URI and none of %v", name, slices.Sorted(maps.Keys(commitments)))
			}
		}
		if slices.Contains(out, uri) {
			return nil, fmt.Errorf("commitment_types: %q is there twice", name)
		}
		out = append(out, uri)
	}
	return out, nil
}

// properties are what will be signed besides the document: what a request says, else what the
// worker is configured with; mime if neither says what the data is. Each must be a text that can be shown to a signer.
func (w *worker) properties(params map[string]string, id string, at time.Time, mime string) (*sap.XAdES, error) {
	param := func(k string) string {
		v, ok := params[k]
		if !ok {
			v = w.defaults[k]
		}
		if v == "" && !ok && k == "mime_type" {
			return mime
		}
		return v
	}
	c, err := readCommitments(param("commitment_types"))
	if err != nil {
		return nil, err
	}
	x := &sap.XAdES{
		ID: id, Form: w.form, Time: at.Unix(), MIME: param("mime_type"), Description: param("description"), Commitments: c, Roles: []string{},
		Place:  sap.XAdESPlace{City: param("city"), Street: param("street"), State: param("state"), Postal: param("postal_code"), Country: param("country")},
		Policy: w.policy,
	}
	if r := param("claimed_role"); r != "" {
		x.Roles = append(x.Roles, r)
	}
	if err := besides(x, param("reference_ids")); err != nil {
		return nil, err
	}
	for k, v := range map[string]string{"mime_type": x.MIME, "description": x.Description, "claimed_role": param("claimed_role"), "commitment_types": strings.Join(c, ""),
		"city": x.Place.City, "street": x.Place.Street, "state": x.Place.State, "postal_code": x.Place.Postal, "country": x.Place.Country, "policy_id": x.Policy.ID} {
		if k != "commitment_types" && !sap.Displayable(v) {
			return nil, fmt.Errorf("%s: a text of at most %d characters that can be shown is wanted, got %q", k, sap.MaxText, v)
		}
	}
	for _, u := range c {
		if !sap.Displayable(u) {
			return nil, fmt.Errorf("commitment_types: %q cannot be shown", u)
		}
	}
	if x.MIME == "" {
		return nil, fmt.Errorf("mime_type: it is empty")
	}
	return x, nil
}

// limits are those of reading a document.
func (w *worker) limits() c14n.Limits { return c14n.Limits{Size: w.max} }

// room are those of reading one with a signature.
func (w *worker) room(st *state, element []byte) c14n.Limits {
	return c14n.Limits{Size: max(w.max, st.Offset) + int64(len(element)) + maxTail}
}
