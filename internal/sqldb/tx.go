package sqldb

import "database/sql"

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
	return st.exec(args)
}

// Row is a query for at most one row. sql.ErrNoRows comes from its Scan.
func (t *Tx) Row(query string, args ...any) Row { return Row{t.c, query, args} }

// Each runs a query and calls scan for every row. scan must not run the same
// query again.
func (t *Tx) Each(scan func(Scanner) error, query string, args ...any) error {
	st, err := t.c.prepare(query)
	if err != nil {
		return err
	}
	return st.each(scan, false, args)
}

// Scanner is a row that can be read: into *string, *[]byte, *int64, *int, *bool,
// a named type of these kinds, or an sql.Scanner. A column of another type is an
// error.
type Scanner interface {
	Scan(dest ...any) error
}

// Row is the result of Tx.Row.
type Row struct {
	c     *conn
	query string
	args  []any
}

// Scan implements Scanner; it runs the query.
func (r Row) Scan(dest ...any) error {
	st, err := r.c.prepare(r.query)
	if err != nil {
		return err
	}
	found := false
	err = st.each(func(row Scanner) error {
		found = true
		return row.Scan(dest...)
	}, true, r.args)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}
