// Package samsqlite keeps the records of package sam in an SQLite database: one
// module on one node. Commits are shared by all callers (internal/sqldb). The
// statements are in queries.sql, the schema in migrations.
package samsqlite

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/sqldb"
	"github.com/assent-sign/assent/sam"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed queries.sql
var queryText string

// Config says where the database is.
type Config struct {
	Path     string // database file, beside it its WAL and its lock
	Readers  int    // connections for reading; 4 when 0
	MaxPages int    // bound on the size, in pages of 4096 bytes; none when 0
}

// Store implements sam.Store.
type Store struct {
	db *sqldb.DB
	q  queries
}

type queries map[string]string

// Open opens the database, makes it when the file is absent, and brings its
// schema up to date. Errors are those of internal/sqldb.
func Open(cfg Config) (*Store, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %w", err)
	}
	q, err := parseQueries(queryText)
	if err != nil {
		return nil, err
	}
	q.addWalks()
	db, err := sqldb.Open(sqldb.Config{Path: cfg.Path, Migrations: files, Readers: cfg.Readers, MaxPages: cfg.MaxPages})
	if err != nil {
		return nil, fmt.Errorf("samsqlite: %w", err)
	}
	return &Store{db: db, q: q}, nil
}

// parseQueries reads "-- name: x" blocks.
func parseQueries(text string) (queries, error) {
	q := queries{}
	for _, block := range strings.Split(text, "-- name: ")[1:] {
		name, sql, ok := strings.Cut(block, "\n")
		if !ok || q[name] != "" {
			return nil, fmt.Errorf("samsqlite: query %q", name)
		}
		q[name] = strings.TrimSpace(sql)
	}
	return q, nil
}

// View implements sam.Store.
func (s *Store) View(ctx context.Context, fn func(*sam.Tx) error) error {
	return s.db.View(ctx, func(t *sqldb.Tx) error { return fn(s.tx(t)) })
}

// Update implements sam.Store.
func (s *Store) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	return s.db.Update(ctx, func(t *sqldb.Tx) error { return fn(s.tx(t)) })
}

// Snapshot implements sam.Snapshotter.
func (s *Store) Snapshot(ctx context.Context, use func(db io.Reader, size int64, last audit.Head) error) error {
	return s.db.Snapshot(ctx, func(path string) error {
		var last audit.Head
		err := sqldb.ReadCopy(path, func(t *sqldb.Tx) error {
			var err error
			last, err = s.tx(t).Audit.Last()
			return err
		})
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		return use(f, st.Size(), last)
	})
}

// Foreign implements sam.Store.
func (s *Store) Foreign() int64 { return s.db.Foreign() }

// Close implements sam.Store.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) tx(t *sqldb.Tx) *sam.Tx {
	b := base{&bound{t, s.q}}
	return &sam.Tx{
		Meta: meta{b}, Condition: condition{b}, Configurations: configurations{b}, Successions: successions{b}, Identities: identities{b}, Proposals: proposals{b}, Signers: signers{b}, Authenticators: authenticators{b},
		Guards: guards{b}, FailedGuards: failedGuards{b}, Enrolments: enrolments{b}, Credentials: credentials{b}, OtherKEK: otherKEK{b}, RetiredKeys: retiredKeys{b}, Activations: activations{b},
		Sessions: sessions{b}, Tombstones: tombstones{b}, Expiries: expiries{b}, Onces: onces{b}, OnceList: onceList{b}, Notices: notices{b}, Audit: auditLog{b}, AuditSearch: auditLog{b}, Seals: seals{b},
	}
}
