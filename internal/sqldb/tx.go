package sqldb

import (
	"context"
	"database/sql"
	"fmt"
)

// Tx is a transaction, valid inside the function that was given it.
type Tx struct {
	c    *conn
	memo *any
}

// Memo is a place for what an Update function knows of the database and the next
// one would have to read again, such as the end of a list. It is emptied whenever
// any function or commit fails. nil in a View.
func (t *Tx) Memo() *any { return t.memo }

// Exec runs a statement and returns the number of rows it changed. Statements
// are prepared once for each connection: query must be one of a fixed set.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	st, err := t.c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := st.Exec(args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row runs a query for at most one row. sql.ErrNoRows comes from its Scan.
func (t *Tx) Row(query string, args ...any) Row {
	st, err := t.c.prepare(query)
	if err != nil {
		return Row{err: err}
	}
	return Row{row: st.QueryRow(args...)}
}

// Each runs a query and calls scan for every row.
func (t *Tx) Each(scan func(Scanner) error, query string, args ...any) error {
	st, err := t.c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Scanner is a row that can be read.
type Scanner interface {
	Scan(dest ...any) error
}

// Row is the result of Tx.Row.
type Row struct {
	row *sql.Row
	err error
}

// Scan implements Scanner.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// conn is one connection with its prepared statements. It is used by one
// goroutine at a time.
type conn struct {
	c     *sql.Conn
	stmts map[string]*sql.Stmt
}

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return &conn{c: c, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	st, err := c.c.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	c.stmts[query] = st
	return st, nil
}

func (c *conn) exec(query string) error {
	st, err := c.prepare(query)
	if err != nil {
		return err
	}
	_, err = st.Exec()
	return err
}

func (c *conn) close() {
	for _, st := range c.stmts {
		_ = st.Close()
	}
	_ = c.c.Close()
}
