package crash

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/assent-sign/assent/internal/audit"
)

// scene is the evidence of one run, to be tampered with.
type scene struct {
	t       *testing.T
	dir     string
	records []audit.Record
	tokens  []map[string]any
	clients []map[string]any
	args    []string // more arguments of the auditor
}

// play makes honest evidence of everything: signatures, a batch, a withheld one,
// a refusal, a recovery.
func play(t *testing.T) (dir, checkpoint string) {
	s := template(t).copySite(t)
	cl := newClient(s, 7)
	var c cell
	checkpoint = c.prepare(s, cl)
	must(t, s.start("token/34-sign-returned=before:2"))
	c.untilDead(s, cl, 1)
	must(t, s.start(""))
	cl.note(event{Ev: "recovered"})
	cl.again() // the withheld one is refused, with a record
	must(t, cl.round(2))
	s.stop()
	s.audit("planted", "-checkpoint", checkpoint)
	return s.dir, checkpoint
}

// The auditor is worth what it finds: for every comparison of the fault plan
// (4.3) a violation is planted in one witness, and the auditor names the
// invariant, the comparison and the place. Without a plant it finds nothing.
func TestAuditorFindsWhatIsPlanted(t *testing.T) {
	dir, checkpoint := play(t)
	for _, c := range []struct {
		name  string
		plant func(*scene)
		want  string // invariant and comparison
		text  string
	}{
		{"nothing", func(*scene) {}, "", "0 invariants violated"},
		{"a signature without an intent", func(s *scene) { s.sign("AAAA") }, "I1 (comparison 1)", "no intent allows"},
		{"a second signature over an approved digest", func(s *scene) { s.sign(s.token("signed", -1)["in"]) }, "I1 (comparison 1)", "any more"},
		{"a signature by a key nobody made", func(s *scene) { s.sign("AAAA"); s.tokens[len(s.tokens)-1]["key"] = "spki:none" }, "I1 (comparison 1)", "no generation"},
		{"an approved digest signed by a throw-away key", func(s *scene) {
			s.sign(s.token("signed", -1)["in"])
			s.tokens[len(s.tokens)-1]["key"] = "new:7"
		}, "I1 (comparison 1)", "nobody's, signed the approved digest"},
		{"an outcome that the token did not make", func(s *scene) { s.token("signed", -1)["ev"] = "start" }, "I1 (comparison 1)", "did not make"},
		{"an edited token log", func(s *scene) { s.edit("token.log", `"mech":"ES256"`, `"mech":"ES257"`) }, "I1 (comparison 1)", "edited"},
		{"an outcome without an intent", func(s *scene) { s.last("activation_reserved").Type = "something_else" }, "I1 (comparison 2)", "has 0 intents"},
		{"an intent after its outcome", func(s *scene) {
			a, b := s.last("activation_reserved"), s.last("activation_consumed")
			a.Type, a.Data, b.Type, b.Data = b.Type, b.Data, a.Type, a.Data
		}, "I1 (comparison 2)", "intents before it"},
		{"an outcome for another key", func(s *scene) {
			r := s.last("activation_consumed")
			r.Data = strings.Replace(r.Data, `"key":"k-`, `"key":"k-0`, 1)
		}, "I1 (comparison 2)", "of other digests, key or signer"},
		{"an approval consumed twice", func(s *scene) { s.records = append(s.records, *s.last("activation_reserved")) }, "I2 (comparison 3)", "reserved 2 times"},
		{"an approval brought back to life", func(s *scene) {
			s.sql("UPDATE activation SET state = 'open', answer = x'' WHERE state = 'consumed'")
		}, "I2 (comparison 3)", `its row says "open"`},
		{"a digest that was not approved", func(s *scene) {
			r := s.last("activation_reserved")
			i := strings.Index(r.Data, `"digests":["`) + len(`"digests":["`)
			r.Data = r.Data[:i] + "AAAA" + r.Data[i+4:]
		}, "I2 (comparison 3)", "not the one approved"},
		{"two answers to one approval", func(s *scene) {
			e := clone(s.answer(200, 0))
			e["body"] = s.answer(200, -1)["body"]
			s.clients = append(s.clients, e)
		}, "I2 (comparison 3)", "two different answers"},
		{"an acknowledged answer lost from the database", func(s *scene) {
			s.sql("UPDATE answer SET text = x'540000027b7d'") // packed: {}
		}, "I3 (comparison 4)", "has no such answer"},
		{"an acknowledged answer not given again", func(s *scene) {
			id := s.answer(200, 0)["id"]
			after := false
			s.clients = slices.DeleteFunc(s.clients, func(e map[string]any) bool {
				after = after || e["ev"] == "recovered"
				return after && e["id"] == id && e["ev"] == "answer"
			})
		}, "I3 (comparison 4)", "not given again"},
		{"a signature that does not verify", func(s *scene) {
			s.spoil()
		}, "I3 (comparison 4)", "does not verify"},
		{"a withheld signature released", func(s *scene) {
			e := clone(s.answer(422, 0))
			e["status"], e["body"] = 200, s.answer(200, 0)["body"]
			s.clients = append(s.clients, e)
		}, "I4 (comparison 4)", "withheld or released"},
		{"an edited record", func(s *scene) { s.sql("UPDATE audit SET actor = 'nobody' WHERE seq = 5") }, "I5 (comparison 5)", "record 5"},
		{"a missing record", func(s *scene) { s.sql("DELETE FROM audit WHERE seq = 6") }, "I5 (comparison 5)", "record 6"},
		{"an end cut off and grown again", func(s *scene) { s.records[4].Actor = "nobody" }, "I5 (comparison 5)", "another one than was there"},
		{"a refusal without a record", func(s *scene) { s.answer(422, 0)["body"] = []byte(`{"code":"refused","retry":"never"}`) }, "I8 (comparison 6)", "without a record"},
		{"a refusal whose record is none", func(s *scene) {
			s.answer(422, 0)["body"] = []byte(`{"code":"refused","ref":"1","retry":"never"}`)
		}, "I8 (comparison 6)", "no record of a refusal"},
		{"an answer that is no refusal", func(s *scene) { s.answer(422, 0)["status"] = 302 }, "I8 (comparison 6)", "no refusal"},
		{"a reservation nobody settled", func(s *scene) {
			s.last("activation_withheld").Type = "something_else"
			s.sql("UPDATE activation SET state = 'reserved', updated = updated - 60 WHERE state = 'burnt'")
		}, "I4 (comparison 7)", "not settled"},
		{"an intent written after the key use", func(s *scene) { s.last("activation_reserved").Time += 5000 }, "I1 (comparison 8)", "the intent"},
		{"an outcome written before the signature", func(s *scene) { s.last("activation_consumed").Time -= 5000 }, "I1 (comparison 8)", "after its outcome"},
		{"a secret in a log", func(s *scene) { s.append("samd.log", "pin="+canary) }, "I6 (comparison 9)", "planted secret"},
		{"a leak of files", func(s *scene) {
			s.samples(`{"phase":"base","fds":20}`, `{"phase":"end","fds":22}`)
		}, "I7 (comparison 0)", "22 at the end"},
		{"memory over its bound", func(s *scene) {
			s.samples(`{"phase":"load","rss_kib":900000}`)
			s.args = append(s.args, "-max-rss", "300000")
		}, "I9 (comparison 0)", "900000 KiB"},
		{"time over its bound", func(s *scene) {
			s.samples(`{"phase":"load","cpu_ms":2000}`)
			s.args = append(s.args, "-max-cpu", "1000")
		}, "I9 (comparison 0)", "2000 ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, dir)
			s.args = []string{"-checkpoint", checkpoint}
			c.plant(s)
			s.write()
			out, code := s.judge()
			if c.want == "" {
				if code != 0 || !strings.Contains(out, c.text) {
					t.Errorf("exit code %d\n%s", code, out)
				}
				return
			}
			found := false
			for _, line := range strings.Split(out, "\n") {
				found = found || strings.HasPrefix(line, c.want) && strings.Contains(line, c.text)
			}
			if code < 1 || code > 9 || !found {
				t.Errorf("exit code %d, want a line %q with %q\n%s", code, c.want, c.text, out)
			}
		})
	}
}

// read takes a copy of the evidence.
func read(t *testing.T, dir string) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir()}
	must(t, os.CopyFS(filepath.Join(s.dir, "data"), os.DirFS(filepath.Join(dir, "data"))))
	must(t, chmodAll(s.dir))
	for _, name := range []string{"token.log", "client.log", "samd.log"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(s.dir, name), b, 0o600))
		for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
			text, _, _ := bytes.Cut(line, []byte{'\t'})
			var v map[string]any
			if name == "samd.log" || json.Unmarshal(text, &v) != nil {
				continue
			}
			if name == "token.log" {
				s.tokens = append(s.tokens, v)
			} else {
				s.clients = append(s.clients, v)
			}
		}
	}
	db := s.open()
	rows, err := db.Query("SELECT seq, time, type, actor, outcome, reason, data, hash FROM audit ORDER BY seq")
	must(t, err)
	defer func() { must(t, errors.Join(rows.Close(), db.Close())) }()
	for rows.Next() {
		var r audit.Record
		must(t, rows.Scan(&r.Seq, &r.Time, &r.Type, &r.Actor, &r.Outcome, &r.Reason, &r.Data, &r.Hash))
		s.records = append(s.records, r)
	}
	must(t, rows.Err())
	return s
}

func (s *scene) open() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "data", "sam.db"))
	must(s.t, err)
	for _, trigger := range []string{"audit_no_update", "audit_no_delete"} {
		_, err := db.Exec("DROP TRIGGER IF EXISTS " + trigger)
		must(s.t, err)
	}
	return db
}

// write puts the three witnesses back as a careful insider would: every hash is
// right again, except where an edit went around them (edited, sql).
func (s *scene) write() {
	s.t.Helper()
	s.writeChain()
	if !s.edited("token.log") {
		var out bytes.Buffer
		prev := ""
		for i, u := range s.tokens {
			u["n"] = i
			text, err := json.Marshal(u)
			must(s.t, err)
			sum := sha256.Sum256(append([]byte(prev), text...))
			prev = hex.EncodeToString(sum[:])
			fmt.Fprintf(&out, "%s\t%s\n", text, prev)
		}
		must(s.t, os.WriteFile(filepath.Join(s.dir, "token.log"), out.Bytes(), 0o600))
	}
	var out bytes.Buffer
	for _, e := range s.clients {
		text, err := json.Marshal(e)
		must(s.t, err)
		out.Write(append(text, '\n'))
	}
	must(s.t, os.WriteFile(filepath.Join(s.dir, "client.log"), out.Bytes(), 0o600))
}

func (s *scene) edited(name string) bool { return slices.Contains(s.args, "edited "+name) }

// writeChain rewrites the records whose contents changed, and everything behind
// them, with hashes that fit.
func (s *scene) writeChain() {
	s.t.Helper()
	db := s.open()
	defer func() { must(s.t, db.Close()) }()
	tx, err := db.Begin()
	must(s.t, err)
	var prev []byte
	for i := range s.records {
		r := &s.records[i]
		r.Seq = int64(i)
		if sum := r.Sum(prev); !bytes.Equal(sum, r.Hash) {
			r.Hash = sum
			_, err := tx.Exec("INSERT OR REPLACE INTO audit (seq, time, type, actor, outcome, reason, data, hash) VALUES (?,?,?,?,?,?,?,?)",
				r.Seq, r.Time, r.Type, r.Actor, r.Outcome, r.Reason, r.Data, r.Hash)
			must(s.t, err)
		}
		prev = r.Hash
	}
	must(s.t, tx.Commit())
}

func (s *scene) sql(text string) {
	s.t.Helper()
	db := s.open()
	_, err := db.Exec(text)
	must(s.t, errors.Join(err, db.Close()))
}

func (s *scene) last(typ string) *audit.Record {
	s.t.Helper()
	for i := len(s.records) - 1; i >= 0; i-- {
		if s.records[i].Type == typ {
			return &s.records[i]
		}
	}
	s.t.Fatalf("no record of type %s", typ)
	return nil
}

// token is a line of the token log: the last one of a kind when i is -1.
func (s *scene) token(ev string, i int) map[string]any {
	s.t.Helper()
	return pick(s.t, s.tokens, func(u map[string]any) bool { return u["ev"] == ev && u["mech"] != nil }, i)
}

// answer is a line of the client log with a status.
func (s *scene) answer(status, i int) map[string]any {
	s.t.Helper()
	return pick(s.t, s.clients, func(e map[string]any) bool { return e["ev"] == "answer" && e["status"] == float64(status) }, i)
}

// spoil changes an acknowledged signature wherever it is kept.
func (s *scene) spoil() {
	s.t.Helper()
	old := s.answer(200, 0)["body"].(string)
	body, err := base64.StdEncoding.DecodeString(old)
	must(s.t, err)
	i := bytes.Index(body, []byte(`"signatures":["`)) + 40
	wrong := bytes.Clone(body)
	if wrong[i] == 'A' { // another letter of base64
		wrong[i] = 'B'
	} else {
		wrong[i] = 'A'
	}
	for _, e := range s.clients {
		if e["body"] == old {
			e["body"] = base64.StdEncoding.EncodeToString(wrong)
		}
	}
	var a struct{ Signatures [][]byte }
	must(s.t, json.Unmarshal(body, &a))
	db := s.open()
	packed := append([]byte{'T', byte(len(wrong) >> 16), byte(len(wrong) >> 8), byte(len(wrong))}, wrong...)
	res, err := db.Exec("UPDATE answer SET text = ? WHERE instr(text, ?) > 0", packed, a.Signatures[0])
	must(s.t, errors.Join(err, db.Close()))
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		s.t.Fatalf("%d stored answers have the signature, want 1: %v", n, err)
	}
}

func pick(t *testing.T, list []map[string]any, fits func(map[string]any) bool, i int) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, v := range list {
		if fits(v) {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		t.Fatal("the scene has no such line")
	}
	if i < 0 {
		i += len(found)
	}
	return found[i]
}

// sign adds a use of the signer's key to the token log.
func (s *scene) sign(digest any) {
	s.t.Helper()
	u := clone(s.token("sign", -1))
	u["in"], u["call"] = digest, 99
	s.tokens = append(s.tokens, u)
}

func clone(v map[string]any) map[string]any {
	out := map[string]any{}
	for k, x := range v {
		out[k] = x
	}
	return out
}

// edit changes a file without making its hashes fit.
func (s *scene) edit(name, from, to string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	b, err := os.ReadFile(path)
	must(s.t, err)
	if !bytes.Contains(b, []byte(from)) {
		s.t.Fatalf("%s has no %s", name, from)
	}
	must(s.t, os.WriteFile(path, bytes.Replace(b, []byte(from), []byte(to), 1), 0o600))
	s.args = append(s.args, "edited "+name)
}

func (s *scene) append(name, text string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	_, err = f.WriteString(text + "\n")
	must(s.t, errors.Join(err, f.Close()))
}

func (s *scene) samples(list ...string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "samples.log")
	must(s.t, os.WriteFile(path, []byte(strings.Join(list, "\n")+"\n"), 0o600))
	s.args = append(s.args, "-samples", path)
}

// judge runs the auditor on the scene.
func (s *scene) judge() (string, int) {
	s.t.Helper()
	at := func(name string) string { return filepath.Join(s.dir, name) }
	args := []string{"-db", at("data/sam.db"), "-anchor", at("data/anchor"), "-token", at("token.log"), "-client", at("client.log"),
		"-canary", canary, "-scan", at("samd.log"), "-seed", "planted"}
	for _, a := range s.args {
		if !strings.HasPrefix(a, "edited ") {
			args = append(args, a)
		}
	}
	out, err := exec.Command(filepath.Join(programs, "auditor"), args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}
