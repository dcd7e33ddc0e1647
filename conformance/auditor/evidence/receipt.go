package evidence

import (
	"encoding/json"
	"slices"
)

// receipt is the part of a receipt that is compared (sap/SAP.md, 3.8).
type receipt struct {
	Instance string `json:"instance"`
	Time     int64  `json:"time"`
	Items    []struct {
		I         int    `json:"i"`
		Signature string `json:"signature"`
	} `json:"items"`
	AuditSeq  int64  `json:"auditSeq"`
	AuditHash string `json:"auditHash"`
}

// signedReceipt is a receipt with its way to the signed root of its group.
type signedReceipt struct {
	Receipt   string   `json:"receipt"`
	Path      []string `json:"path"`
	Index     int      `json:"index"`
	Size      int      `json:"size"`
	Signature string   `json:"signature"`
	Key       string   `json:"key"`
}

// checkReceipt verifies the receipt of a stored answer with the statement key that it
// names, which is the pinned one or follows it, and compares it with the outcome (I3).
func (c *Case) checkReceipt(obj string, a answer, outcome *record) {
	if len(c.keys) == 0 {
		return
	}
	c.receipts++
	text := unb64(a.Receipt.Receipt)
	i := slices.IndexFunc(c.keys, func(k statementKey) bool { return k.id == a.Receipt.Key })
	var r receipt
	switch err := json.Unmarshal(text, &r); {
	case err != nil || !canonical(text):
		c.find(4, "I3", obj, "its receipt cannot be read: %v", err)
	case i < 0:
		c.find(4, "I3", obj, "its receipt is signed by %s, which is neither the pinned key nor one that follows it", a.Receipt.Key)
	case !signed(c.keys[i].public, labelRoot, a.Receipt.root(text), unb64(a.Receipt.Signature)):
		c.find(4, "I3", obj, "its receipt is not signed by the statement key")
	case c.keys[i].until != 0 && r.Time > c.keys[i].until:
		c.find(4, "I3", obj, "its receipt is signed by a key that was out of use then")
	case r.Instance != c.name || r.AuditSeq != outcome.Seq || r.AuditHash != b64(outcome.Hash):
		c.find(4, "I3", obj, "its receipt is of record %d, not of outcome record %d", r.AuditSeq, outcome.Seq)
	case len(r.Items) != len(a.Signatures):
		c.find(4, "I3", obj, "its receipt has %d signatures", len(r.Items))
	default:
		for n, it := range r.Items {
			if it.I != n || it.Signature != b64(a.Signatures[n]) {
				c.find(4, "I3", obj, "its receipt has another signature %d", n)
			}
		}
	}
}

// root is the root of the group's tree, of the shape of RFC 9162; nil when the path does
// not fit index and size.
func (s signedReceipt) root(text []byte) []byte {
	if s.Index < 0 || s.Index >= s.Size || len(s.Path) > 64 {
		return nil
	}
	h := hash(under(labelLeaf, text))
	at, last := s.Index, s.Size-1
	for _, step := range s.Path {
		p := unb64(step)
		if last == 0 || len(p) != len(h) {
			return nil
		}
		if at%2 == 1 || at == last {
			h = hash(under(labelNode, p, h))
			for at%2 == 0 && at != 0 {
				at, last = at/2, last/2
			}
		} else {
			h = hash(under(labelNode, h, p))
		}
		at, last = at/2, last/2
	}
	if last != 0 {
		return nil
	}
	return h
}
