package samsqlite

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/sam"
)

// seals walks all tables with sealed records.
type seals struct{ base }

// walk is how the records of one kind are walked and sealed anew.
type walk struct {
	table, column string // of the key
	get           string // statement that lists all columns
	begin         any    // comes before every key
	scan          func(sqldb.Scanner) (sam.Record, error)
	key           func(sam.Record) any
}

func walkOf[R any, P interface {
	*R
	sam.Record
}](table, column, get string, begin any, scan func(sqldb.Scanner, *R) error, key func(*R) any) walk {
	return walk{
		table: table, column: column, get: get, begin: begin,
		scan: func(s sqldb.Scanner) (sam.Record, error) {
			r := new(R)
			if err := scan(s, r); err != nil {
				return nil, err
			}
			return P(r), nil
		},
		key: func(r sam.Record) any {
			p, _ := r.(P)
			return key((*R)(p))
		},
	}
}

// walks has a line for each kind of sealed record.
func walks() map[string]walk {
	one := []byte{}
	return map[string]walk{
		"meta":          walkOf("meta", "id", "meta.get", 0, scanMeta, func(*sam.Meta) any { return 1 }),
		"condition":     walkOf("condition", "id", "condition.get", 0, scanCondition, func(*sam.Condition) any { return 1 }),
		"configuration": walkOf("configuration", "number", "configuration.latest", -1, scanConfiguration, func(r *sam.Configuration) any { return r.Number }),
		"succession":    walkOf("succession", "epoch", "succession.list", 0, scanSuccession, func(r *sam.Succession) any { return r.Epoch }),
		"identity":      walkOf("identity", "name", "identity.get", "", scanIdentity, func(r *sam.Identity) any { return r.Name }),
		"proposal":      walkOf("proposal", "id", "proposal.get", "", scanProposal, func(r *sam.Proposal) any { return r.ID }),
		"signer":        walkOf("signer", "id", "signer.get", "", scanSigner, func(r *sam.Signer) any { return r.ID }),
		"authenticator": walkOf("authenticator", "credential", "authenticator.get", one, scanAuthenticator, func(r *sam.Authenticator) any { return r.Credential }),
		"guard":         walkOf("guard", "credential", "guard.get", one, scanGuard, func(r *sam.Guard) any { return r.Credential }),
		"notice":        walkOf("notice", "seq", "notice.after", -1, scanNotice, func(r *sam.Notice) any { return r.Seq }),
		"enrolment":     walkOf("enrolment", "id", "enrolment.get", "", scanEnrolment, func(r *sam.Enrolment) any { return r.ID }),
		"credential":    walkOf("credential", "key", "credential.get", "", scanCredential, func(r *sam.Credential) any { return r.Key }),
		"activation":    walkOf("activation", "session", "activation.get", one, scanActivation, func(r *sam.Activation) any { return r.Session }),
		"onetime":       walkOf("onetime", "key", "once.get", "", scanOnce, func(r *sam.Once) any { return r.Key }),
		"tombstone":     walkOf("tombstone", "key", "tombstone.after", "", scanTombstone, func(r *sam.Tombstone) any { return r.Key }),
	}
}

// addWalks makes the statements of all walks from those that read one record.
func (q queries) addWalks() {
	for kind, w := range walks() {
		head, _, _ := strings.Cut(strings.Join(strings.Fields(q[w.get]), " "), " WHERE ")
		head, _, _ = strings.Cut(head, " ORDER BY ")
		head = strings.Replace(head, "SELECT ", "SELECT "+w.column+", ", 1)
		q["walk."+kind] = fmt.Sprintf("%s WHERE %s > ?1 ORDER BY %s LIMIT ?2", head, w.column, w.column)
		q["reseal."+kind] = fmt.Sprintf("UPDATE %s SET mac = ?2 WHERE %s = ?1 AND version = ?3 AND mac = ?4", w.table, w.column)
	}
	q["reseal.enrolment"] = "UPDATE enrolment SET mac = ?2, code = ?5, halves = ?6 WHERE id = ?1 AND version = ?3 AND mac = ?4"
}

// keyed is a row whose first column is its key once more, which is read whatever is in
// the others.
type keyed struct {
	sqldb.Scanner
	key anyKey
}

// Scan implements sqldb.Scanner for the columns after the key.
func (k *keyed) Scan(dest ...any) error {
	return k.Scanner.Scan(append([]any{&k.key}, dest...)...)
}

// anyKey is a key of whatever type its table has.
type anyKey struct{ v any }

// Scan implements sql.Scanner.
func (k *anyKey) Scan(v any) error {
	if b, ok := v.([]byte); ok {
		v = bytes.Clone(b)
	}
	k.v = v
	return nil
}

// After implements sam.SealTable.
func (t seals) After(kind string, last any, limit int) ([]sam.Walked, error) {
	w, ok := walks()[kind]
	if !ok {
		return nil, fmt.Errorf("samsqlite: no sealed records of the kind %q", kind)
	}
	if last == nil {
		last = w.begin
	}
	var out []sam.Walked
	err := t.t.Each(func(s sqldb.Scanner) error {
		row := keyed{Scanner: s}
		r, err := w.scan(&row)
		if row.key.v == nil { // nothing to go on from
			return err
		}
		out = append(out, sam.Walked{Key: row.key.v, Record: r, Err: err})
		return nil
	}, t.q["walk."+kind], last, limit)
	if err != nil {
		return nil, fmt.Errorf("samsqlite: walk.%s: %w", kind, err)
	}
	return out, nil
}

// Reseal implements sam.SealTable.
func (t seals) Reseal(r sam.Record, was []byte) error {
	kind, st := sam.SealOf(r)
	w, ok := walks()[kind]
	if !ok {
		return fmt.Errorf("samsqlite: no sealed records of the kind %q", kind)
	}
	args := []any{w.key(r), st.MAC, st.Version, was}
	if e, ok := r.(*sam.Enrolment); ok {
		args = append(args, blob(e.Code), blob(e.Halves))
	}
	return t.write("reseal."+kind, args...)
}
