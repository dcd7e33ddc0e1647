package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// TypeCheckpoint is the type of a record in which the module signs the chain up
// to the record before (AUD-05). Whoever can write the table can compute hashes,
// but not this signature: after a checkpoint, nothing before it can be changed
// without showing to anyone who has the public key.
const TypeCheckpoint = "audit_checkpoint"

// TypeStatementKey is the type of a record in which the module changes the key that signs
// checkpoints (KPR-06). Its data has the signed statement of both keys.
const TypeStatementKey = "statement_key_changed"

// Signed is a checkpoint with the module's signature. Every is the promise that
// each record whose number is a multiple of it is a checkpoint: one that was left
// out shows.
type Signed struct {
	Checkpoint
	Every int64
	Key   string // id of the key
	Sig   []byte
}

// Body is what is signed, under a label that the signer adds.
func (s Signed) Body() []byte {
	return []byte(s.Checkpoint.String() + ":" + strconv.FormatInt(s.Every, 10))
}

// String is the one-line form for a witness: body, key and signature.
func (s Signed) String() string {
	return string(s.Body()) + " " + s.Key + " " + base64.RawURLEncoding.EncodeToString(s.Sig)
}

// ParseSigned is the inverse of Signed.String. It does not look at the
// signature. ErrForm.
func ParseSigned(line string) (Signed, error) {
	part := strings.Split(line, " ")
	if len(line) > 1024 || len(part) != 3 {
		return Signed{}, fmt.Errorf("%w: a signed checkpoint is chain:seq:hash:every key signature", ErrForm)
	}
	i := strings.LastIndexByte(part[0], ':')
	if i < 0 {
		return Signed{}, fmt.Errorf("%w: signed checkpoint %.80q", ErrForm, line)
	}
	c, err := ParseCheckpoint(part[0][:i])
	if err != nil {
		return Signed{}, err
	}
	every, err := strconv.ParseInt(part[0][i+1:], 10, 64)
	sig, err2 := base64.RawURLEncoding.Strict().DecodeString(part[2])
	s := Signed{c, every, part[1], sig}
	if err != nil || err2 != nil || every < 1 || s.String() != line {
		return Signed{}, fmt.Errorf("%w: signed checkpoint %.80q", ErrForm, line)
	}
	return s, nil
}

// AppendSigned adds a checkpoint record behind head.
func AppendSigned(t Table, now time.Time, actor string, s Signed) (Record, error) {
	return Append(t, now, Entry{Type: TypeCheckpoint, Actor: actor, Outcome: OK, Data: Data{
		"chain": s.Chain, "seq": s.Seq, "head": hex.EncodeToString(s.Hash), "every": s.Every, "key": s.Key,
		"sig": base64.RawURLEncoding.EncodeToString(s.Sig),
	}})
}

// signed reads the checkpoint that a record holds.
func (r Record) signed() (Signed, error) {
	var d struct {
		Chain string `json:"chain"`
		Seq   int64  `json:"seq"`
		Head  string `json:"head"`
		Every int64  `json:"every"`
		Key   string `json:"key"`
		Sig   string `json:"sig"`
	}
	if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
		return Signed{}, err
	}
	hash, err := hex.DecodeString(d.Head)
	sig, err2 := base64.RawURLEncoding.DecodeString(d.Sig)
	if err != nil || err2 != nil || d.Every < 1 {
		return Signed{}, errors.New("a member of the checkpoint is malformed")
	}
	return Signed{Checkpoint{d.Chain, d.Seq, hash}, d.Every, d.Key, sig}, nil
}

// Check verifies the signature of a checkpoint; the caller knows the keys. Where it learns
// them from the chain, it answers ErrKey for one that it does not know yet.
type Check func(Signed) error

// ErrKey is returned for a checkpoint by a key that is not known.
var ErrKey = errors.New("audit: unknown key")

// Summary is what VerifySigned found.
type Summary struct {
	End         Checkpoint
	Checkpoints int
	Confirmed   int64 // the last record under a signature
}

// VerifySigned is Verify for anyone who has the module's public key and need not
// trust who keeps the chain: every checkpoint must be signed and confirm exactly
// the records before it, none may be left out, and checkpoints that a witness
// kept must be in the chain (AUD-05, AUD-08). The error is a *BadRecord with the index at which it
// shows: an edit that was hashed again shows at the next checkpoint behind it.
func VerifySigned(records iter.Seq2[Record, error], check Check, witness []Signed, known ...Checkpoint) (Summary, error) {
	for _, w := range witness {
		if err := check(w); err != nil && !errors.Is(err, ErrKey) {
			return Summary{}, unwitnessed(w, err)
		}
		known = append(known, w.Checkpoint)
	}
	out := Summary{Confirmed: -1}
	every := int64(0)
	var bad error
	end := Checkpoint{Seq: -1}
	looked := func(yield func(Record, error) bool) {
		for r, err := range records {
			if err == nil {
				if bad = out.look(r, &end, &every, check); bad != nil {
					return
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
	var err error
	out.End, err = Verify(looked, known...)
	switch {
	case bad != nil:
		return Summary{}, bad
	case err != nil:
		return Summary{}, err
	case out.Checkpoints == 0:
		return Summary{}, &BadRecord{out.End.Seq + 1, "the chain holds no signed checkpoint: nobody confirms it"}
	}
	for _, w := range witness { // by keys that came with the chain, too
		if err := check(w); err != nil {
			return Summary{}, unwitnessed(w, err)
		}
	}
	return out, nil
}

func unwitnessed(w Signed, err error) error {
	return fmt.Errorf("%w: the witness's checkpoint of record %d: %w", ErrForm, w.Seq, err)
}

// look judges one record as a checkpoint, or as one that had to be one. end is
// the chain so far.
func (s *Summary) look(r Record, end *Checkpoint, every *int64, check Check) error {
	before := *end
	if err := end.step(r); err != nil {
		return err
	}
	if r.Type != TypeCheckpoint {
		if *every > 0 && r.Seq%*every == 0 {
			return &BadRecord{r.Seq, "had to be a signed checkpoint: it was left out"}
		}
		return nil
	}
	c, err := r.signed()
	if err != nil {
		return &BadRecord{r.Seq, err.Error()}
	}
	if c.Chain != before.Chain || c.Seq != before.Seq || !bytes.Equal(c.Hash, before.Hash) {
		return &BadRecord{r.Seq, fmt.Sprintf("the checkpoint does not confirm the records before it: something after record %d was replaced", s.Confirmed)}
	}
	if err := check(c); err != nil {
		return &BadRecord{r.Seq, "signature of the checkpoint: " + err.Error()}
	}
	*every, s.Confirmed = c.Every, c.Seq
	s.Checkpoints++
	return nil
}

// maxWitness bounds the lines of a witness file.
const maxWitness = 10_000_000

// ReadWitness reads the signed checkpoints of a witness file, one a line. A last
// line without its end, as a crash leaves it, does not count. ErrForm.
func ReadWitness(r io.Reader) ([]Signed, error) {
	var out []Signed
	in := bufio.NewReaderSize(r, 4096)
	for n := 1; n <= maxWitness; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: witness line %d: %w", ErrForm, n, err)
		}
		s, err := ParseSigned(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err != nil {
			return nil, fmt.Errorf("witness line %d: %w", n, err)
		}
		out = append(out, s)
	}
	return nil, fmt.Errorf("%w: witness of more than %d lines", ErrForm, maxWitness)
}
