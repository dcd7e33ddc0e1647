package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Checkpoint says that the chain named Chain had a record Seq with this hash. It
// is public; whoever keeps one elsewhere can show later truncation or a fork.
type Checkpoint struct {
	Chain string
	Seq   int64
	Hash  []byte
}

// String is the form in which people keep checkpoints: chain:seq:hash.
func (c Checkpoint) String() string {
	return c.Chain + ":" + strconv.FormatInt(c.Seq, 10) + ":" + hex.EncodeToString(c.Hash)
}

// ParseCheckpoint is the inverse of String. ErrForm.
func ParseCheckpoint(s string) (Checkpoint, error) {
	part := strings.Split(s, ":")
	if len(s) > 512 || len(part) != 3 {
		return Checkpoint{}, fmt.Errorf("%w: a checkpoint is chain:seq:hash", ErrForm)
	}
	seq, err := strconv.ParseInt(part[1], 10, 64)
	hash, err2 := hex.DecodeString(part[2])
	if err != nil || err2 != nil || seq < 0 || len(hash) != HashLen {
		return Checkpoint{}, fmt.Errorf("%w: checkpoint %.80q", ErrForm, s)
	}
	return Checkpoint{Chain: part[0], Seq: seq, Hash: hash}, nil
}

// BadRecord names the first place where a chain is not what it should be. It
// matches ErrChain.
type BadRecord struct {
	Index int64 // position in the chain, from 0
	Why   string
}

// Error implements error.
func (b *BadRecord) Error() string {
	return fmt.Sprintf("%v at record %d: %s", ErrChain, b.Index, b.Why)
}

// Unwrap makes errors.Is(err, ErrChain) hold.
func (b *BadRecord) Unwrap() error { return ErrChain }

// Verify walks a whole chain, from record 0, and compares it with checkpoints
// kept elsewhere. It returns the chain's end as a checkpoint. The error is a
// *BadRecord with the index of the first bad record: the one that was edited,
// the place where one is missing, was moved or put in, the first one that is
// missing at the end, or the checkpoint from which a fork differs.
func Verify(records iter.Seq2[Record, error], known ...Checkpoint) (Checkpoint, error) {
	return VerifyFrom(Checkpoint{Seq: -1}, records, known...)
}

// VerifyFrom is Verify for the records after a trusted checkpoint.
func VerifyFrom(from Checkpoint, records iter.Seq2[Record, error], known ...Checkpoint) (Checkpoint, error) {
	at := make(map[int64][]byte, len(known))
	last := from.Seq
	for _, k := range known {
		if had, ok := at[k.Seq]; ok && !bytes.Equal(had, k.Hash) {
			return Checkpoint{}, &BadRecord{k.Seq, "two checkpoints contradict each other: there is a fork"}
		}
		at[k.Seq] = k.Hash
		last = max(last, k.Seq)
	}
	end := from
	for r, err := range records {
		if err != nil {
			return Checkpoint{}, err
		}
		if err := end.step(r); err != nil {
			return Checkpoint{}, err
		}
		if want, ok := at[r.Seq]; ok && !bytes.Equal(want, r.Hash) {
			return Checkpoint{}, &BadRecord{r.Seq, "differs from the checkpoint: records up to here were replaced"}
		}
	}
	if end.Seq < last {
		return Checkpoint{}, &BadRecord{end.Seq + 1, fmt.Sprintf("missing: a checkpoint knows records up to %d", last)}
	}
	for _, k := range known {
		if k.Chain != end.Chain {
			return Checkpoint{}, &BadRecord{0, fmt.Sprintf("this is chain %s, the checkpoint is of %s", end.Chain, k.Chain)}
		}
	}
	return end, nil
}

// step moves the end by one record after checking it.
func (c *Checkpoint) step(r Record) error {
	index := c.Seq + 1
	switch {
	case r.Seq != index:
		return &BadRecord{index, fmt.Sprintf("has number %d: a record was removed, added or moved", r.Seq)}
	case r.check() != nil:
		return &BadRecord{index, r.check().Error()}
	case !bytes.Equal(r.Hash, r.Sum(c.Hash)):
		return &BadRecord{index, "its hash is not that of its contents and of the record before"}
	case (index == 0) != (r.Type == TypeStart):
		return &BadRecord{index, "type " + r.Type + " does not belong here"}
	}
	if index == 0 {
		var start struct {
			Chain string `json:"chain"`
		}
		if err := json.Unmarshal([]byte(r.Data), &start); err != nil || start.Chain == "" {
			return &BadRecord{0, "does not name its chain"}
		}
		c.Chain = start.Chain
	}
	c.Seq, c.Hash = r.Seq, r.Hash
	return nil
}
