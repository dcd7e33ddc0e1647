package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// conn is one connection with its prepared statements, used by one goroutine at
// a time. It talks to the driver itself: the pool, the locks and the conversions
// of database/sql cost as much CPU as the statements of a redemption do.
type conn struct {
	c     *sqlite3.SQLiteConn
	stmts map[string]*stmt
}

// stmt is a prepared statement with room for its arguments and one row.
type stmt struct {
	s    *sqlite3.SQLiteStmt
	args []driver.NamedValue
	row  []driver.Value
	busy bool // its rows are being read
}

var errBusy = errors.New("sqldb: the statement's rows are still being read")

func openConn(dsn string) (*conn, error) {
	c, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return &conn{c: c.(*sqlite3.SQLiteConn), stmts: map[string]*stmt{}}, nil
}

func (c *conn) prepare(query string) (*stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	s, err := c.c.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	st := &stmt{s: s.(*sqlite3.SQLiteStmt)}
	st.args = make([]driver.NamedValue, s.NumInput())
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	c.stmts[query] = st
	return st, nil
}

// exec runs a statement without arguments.
func (c *conn) exec(query string) error {
	st, err := c.prepare(query)
	if err != nil {
		return err
	}
	_, err = st.exec(nil)
	return err
}

// script runs statements that are not prepared, one after the other.
func (c *conn) script(text string) error {
	_, err := c.c.ExecContext(context.Background(), text, nil)
	return err
}

func (c *conn) close() {
	for _, st := range c.stmts {
		_ = st.s.Close()
	}
	_ = c.c.Close()
}

// bind fills in the arguments. What the driver is not given it would take for
// NULL, so that their number is checked here.
func (s *stmt) bind(args []any) error {
	if s.busy {
		return errBusy
	}
	if len(args) != len(s.args) {
		return fmt.Errorf("sqldb: %d arguments for a statement with %d", len(args), len(s.args))
	}
	for i, a := range args {
		switch v := a.(type) {
		case string, []byte, int64, bool, nil:
			s.args[i].Value = v
		default:
			var err error
			if s.args[i].Value, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return fmt.Errorf("sqldb: argument %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// release forgets values: records hold secrets, and buffers live long.
func (s *stmt) release() {
	for i := range s.args {
		s.args[i].Value = nil
	}
	clear(s.row)
	s.busy = false
}

func (s *stmt) exec(args []any) (int64, error) {
	if err := s.bind(args); err != nil {
		return 0, err
	}
	defer s.release()
	res, err := s.s.ExecContext(context.Background(), s.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// each calls scan for every row, for the first only when one is set.
func (s *stmt) each(scan func(Scanner) error, one bool, args []any) (err error) {
	if err := s.bind(args); err != nil {
		return err
	}
	defer s.release()
	s.busy = true
	rows, err := s.s.QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	defer func() {
		if end := rows.Close(); err == nil {
			err = end
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		err := rows.Next(s.row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := scan(values(s.row)); err != nil || one {
			return err
		}
	}
}

// values is one row.
type values []driver.Value

// Scan implements Scanner.
func (v values) Scan(dest ...any) error {
	if len(dest) != len(v) {
		return fmt.Errorf("sqldb: %d destinations for %d columns", len(dest), len(v))
	}
	for i, d := range dest {
		if err := assign(d, v[i]); err != nil {
			return fmt.Errorf("sqldb: column %d: %w", i+1, err)
		}
	}
	return nil
}

var errType = errors.New("the value is not of the expected type")

// assign is strict: a column has one type, and what has another was not written
// by this program.
func assign(dest any, v driver.Value) error {
	var ok bool
	switch d := dest.(type) {
	case *string:
		*d, ok = v.(string)
	case *[]byte:
		*d, ok = v.([]byte)
	case *int64:
		*d, ok = v.(int64)
	case *bool:
		var n int64
		n, ok = v.(int64)
		*d, ok = n == 1, ok && (n == 0 || n == 1)
	case sql.Scanner:
		return d.Scan(v)
	default:
		return assignKind(reflect.ValueOf(dest).Elem(), v)
	}
	if !ok {
		return fmt.Errorf("%w (%T into %T)", errType, v, dest)
	}
	return nil
}

// assignKind is for int and for named types.
func assignKind(to reflect.Value, v driver.Value) error {
	switch v := v.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case int64:
		if to.CanInt() && !to.OverflowInt(v) {
			to.SetInt(v)
			return nil
		}
	}
	return fmt.Errorf("%w (%T into %s)", errType, v, to.Type())
}
