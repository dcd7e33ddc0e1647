package samsqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sam/samsqlite"
)

// Queries that look for few rows among many read an index, never the whole table: a
// module with a million signers answers them as one with ten.
func TestI9QueriesUseTheirIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sam.db")
	s, err := samsqlite.Open(samsqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for name, index := range map[string]string{"signer.near": "signer_plain", "credential.waiting": "credential_revoked"} {
		m := regexp.MustCompile(`(?s)-- name: ` + regexp.QuoteMeta(name) + `\n(.*?);`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no query %s", name)
		}
		plan := explain(t, db, string(m[1]))
		scan := regexp.MustCompile(`SCAN (signer|audit)|SCAN credential(?: |$)`).FindString(plan)
		if !strings.Contains(plan, index) || (scan != "" && !strings.Contains(plan, scan+"USING")) {
			t.Errorf("%s does not read by %s:\n%s", name, index, plan)
		}
	}
}

func explain(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		out.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
