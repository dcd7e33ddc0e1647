package appsqlite

import (
	"fmt"
	"strings"

	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/signapp"
)

type documents struct{ tx *sqldb.Tx }

const documentColumns = `id, client, name, size, sha256, created, expires`

func (d documents) Put(r signapp.DocumentRow) error {
	n, err := d.tx.Exec(`INSERT INTO documents (`+documentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Client, r.Name, r.Size, blob(r.SHA256), r.Created, r.Expires)
	return inserted(n, err)
}

func (d documents) Get(s signapp.Scope, id string) (*signapp.DocumentRow, error) {
	client, _, all := s.Parts()
	var r signapp.DocumentRow
	err := d.tx.Row(`SELECT `+documentColumns+` FROM documents WHERE id = ? AND (? OR (? <> '' AND client = ?))`, id, all, client, client).
		Scan(&r.ID, &r.Client, &r.Name, &r.Size, &r.SHA256, &r.Created, &r.Expires)
	if err != nil {
		return nil, found(err)
	}
	return &r, nil
}

func (d documents) Delete(id string) error {
	_, err := d.tx.Exec(`DELETE FROM documents WHERE id = ?`, id)
	return err
}

func (d documents) List(expiredBy int64, limit int) ([]signapp.DocumentRow, error) {
	var out []signapp.DocumentRow
	err := d.tx.Each(func(row sqldb.Scanner) error {
		var r signapp.DocumentRow
		err := row.Scan(&r.ID, &r.Client, &r.Name, &r.Size, &r.SHA256, &r.Created, &r.Expires)
		out = append(out, r)
		return err
	}, `SELECT `+documentColumns+` FROM documents WHERE expires <= ? ORDER BY expires LIMIT ?`, expiredBy, limit)
	return out, err
}

type operations struct{ tx *sqldb.Tx }

const operationColumns = `id, client, signer, state, created, expires, due, fixed, progress, files`

func (o operations) Put(r signapp.OperationRow) error {
	n, err := o.tx.Exec(`INSERT INTO operations (`+operationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, due = excluded.due, progress = excluded.progress, files = excluded.files
		WHERE client = excluded.client AND signer = excluded.signer`,
		r.ID, r.Client, r.Signer, string(r.State), r.Created, r.Expires, r.Due, blob(r.Fixed), blob(r.Progress), r.Files)
	return inserted(n, err)
}

func scanOperation(row sqldb.Scanner) (signapp.OperationRow, error) {
	var r signapp.OperationRow
	err := row.Scan(&r.ID, &r.Client, &r.Signer, &r.State, &r.Created, &r.Expires, &r.Due, &r.Fixed, &r.Progress, &r.Files)
	return r, err
}

// scope is the condition that every query on owned rows carries.
const scope = ` (? OR (? <> '' AND client = ?) OR (? <> '' AND signer = ?)) `

func scopeArgs(s signapp.Scope) []any {
	client, signer, all := s.Parts()
	return []any{all, client, client, signer, signer}
}

func (o operations) Get(s signapp.Scope, id string) (*signapp.OperationRow, error) {
	r, err := scanOperation(o.tx.Row(`SELECT `+operationColumns+` FROM operations WHERE`+scope+`AND id = ?`, append(scopeArgs(s), id)...))
	if err != nil {
		return nil, found(err)
	}
	return &r, nil
}

// List has one statement for each scope and way of asking, so that each can
// use its index.
func (o operations) List(s signapp.Scope, q signapp.Query) ([]signapp.OperationRow, error) {
	client, signer, all := s.Parts()
	query := `SELECT ` + operationColumns + ` FROM operations WHERE `
	var args []any
	switch {
	case client != "":
		query, args = query+`client = ?`, append(args, client)
	case signer != "":
		query, args = query+`signer = ?`, append(args, signer)
	case all:
		query += `1`
	default:
		return nil, nil
	}
	if len(q.States) > 0 {
		query += ` AND state IN (?` + strings.Repeat(`, ?`, len(q.States)-1) + `)`
		for _, st := range q.States {
			args = append(args, string(st))
		}
	}
	order := ` ORDER BY created DESC, id LIMIT ?`
	if q.DueBy != 0 {
		query, args = query+` AND due <= ?`, append(args, q.DueBy)
		order = ` ORDER BY due, id LIMIT ?`
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	var out []signapp.OperationRow
	err := o.tx.Each(func(row sqldb.Scanner) error {
		r, err := scanOperation(row)
		out = append(out, r)
		return err
	}, query+order, append(args, limit)...)
	return out, err
}

func (o operations) Delete(id string) error {
	_, err := o.tx.Exec(`DELETE FROM operations WHERE id = ?`, id)
	return err
}

type secrets struct{ tx *sqldb.Tx }

const secretColumns = `kind, hash, signer, operation, session, expires, data`

func (s secrets) Put(r signapp.SecretRow) error {
	n, err := s.tx.Exec(`INSERT INTO secrets (`+secretColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.Kind, blob(r.Hash), r.Signer, r.Operation, blob(r.Session), r.Expires, blob(r.Data))
	return inserted(n, err)
}

func (s secrets) Get(kind string, hash []byte) (*signapp.SecretRow, error) {
	return scanSecret(s.tx.Row(`SELECT `+secretColumns+` FROM secrets WHERE kind = ? AND hash = ?`, kind, blob(hash)))
}

func (s secrets) Take(kind string, hash []byte) (*signapp.SecretRow, error) {
	return scanSecret(s.tx.Row(`DELETE FROM secrets WHERE kind = ? AND hash = ? RETURNING `+secretColumns, kind, blob(hash)))
}

func scanSecret(row sqldb.Scanner) (*signapp.SecretRow, error) {
	var r signapp.SecretRow
	if err := row.Scan(&r.Kind, &r.Hash, &r.Signer, &r.Operation, &r.Session, &r.Expires, &r.Data); err != nil {
		return nil, found(err)
	}
	return &r, nil
}

func (s secrets) Drop(m signapp.SecretMatch) error {
	query, args := `DELETE FROM secrets WHERE 1`, []any{}
	if m.ExpiredBy != 0 {
		query, args = query+` AND expires <= ?`, append(args, m.ExpiredBy)
	}
	if len(m.Session) != 0 {
		query, args = query+` AND session = ?`, append(args, m.Session)
	}
	if m.Operation != "" {
		query, args = query+` AND operation = ?`, append(args, m.Operation)
	}
	if len(args) == 0 {
		return fmt.Errorf("%w: nothing says which secrets to drop", signapp.ErrInput)
	}
	_, err := s.tx.Exec(query, args...)
	return err
}

type passkeys struct{ tx *sqldb.Tx }

const passkeyColumns = `id, signer, name, handle, credential, created, used`

func (p passkeys) Put(r signapp.PasskeyRow) error {
	n, err := p.tx.Exec(`INSERT INTO passkeys (`+passkeyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET credential = excluded.credential, used = excluded.used
		WHERE signer = excluded.signer AND handle = excluded.handle`,
		blob(r.ID), r.Signer, r.Name, blob(r.Handle), blob(r.Credential), r.Created, r.Used)
	return inserted(n, err)
}

func scanPasskey(row sqldb.Scanner) (signapp.PasskeyRow, error) {
	var r signapp.PasskeyRow
	err := row.Scan(&r.ID, &r.Signer, &r.Name, &r.Handle, &r.Credential, &r.Created, &r.Used)
	return r, err
}

func (p passkeys) Get(id []byte) (*signapp.PasskeyRow, error) {
	r, err := scanPasskey(p.tx.Row(`SELECT `+passkeyColumns+` FROM passkeys WHERE id = ?`, blob(id)))
	if err != nil {
		return nil, found(err)
	}
	return &r, nil
}

func (p passkeys) OfSigner(signer string) ([]signapp.PasskeyRow, error) {
	var out []signapp.PasskeyRow
	err := p.tx.Each(func(row sqldb.Scanner) error {
		r, err := scanPasskey(row)
		out = append(out, r)
		return err
	}, `SELECT `+passkeyColumns+` FROM passkeys WHERE signer = ? ORDER BY created, id`, signer)
	return out, err
}

func (p passkeys) Delete(signer string, id []byte) error {
	n, err := p.tx.Exec(`DELETE FROM passkeys WHERE id = ? AND signer = ?`, blob(id), signer)
	if err == nil && n == 0 {
		return signapp.ErrNotFound
	}
	return err
}
