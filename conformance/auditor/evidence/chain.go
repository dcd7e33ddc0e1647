package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func hash(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func field(out, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(out, uint32(len(v))), v...)
}

// sum is the hash of a record behind another (docs/audit-format.md, 2).
func (r *record) sum(prev []byte) []byte {
	b := append([]byte("assent/audit-record/v1"), 0)
	b = append(b, prev...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time))
	for _, s := range []string{r.Type, r.Actor, r.Outcome, r.Reason, r.Data} {
		b = field(b, []byte(s))
	}
	return hash(b)
}

// checkChain walks the chain (I5).
func (c *Case) checkChain() {
	prev := make([]byte, sha256.Size)
	for i, r := range c.chain {
		id := fmt.Sprintf("record %d", r.Seq)
		if r.Seq != int64(i) {
			c.find(5, "I5", fmt.Sprintf("record %d", i), "it is missing: the next is %d", r.Seq)
			return
		}
		if !bytes.Equal(r.sum(prev), r.Hash) {
			c.find(5, "I5", id, "its hash is not that of its contents behind the record before")
			return
		}
		if (i == 0) != (r.Type == typeStart) {
			c.find(5, "I5", id, "type %q at place %d", r.Type, i)
		}
		prev = r.Hash
	}
	if len(c.chain) == 0 {
		c.find(5, "I5", "record 0", "the chain is empty")
	}
}

// checkCheckpoints compares the chain with what others kept of it.
func (c *Case) checkCheckpoints() {
	for _, text := range c.Checkpoints {
		part := strings.Split(strings.TrimSpace(text), ":")
		if len(part) != 3 {
			c.find(5, "I5", text, "it is no checkpoint")
			continue
		}
		seq, err := strconv.ParseInt(part[1], 10, 64)
		if err != nil || len(c.chain) == 0 {
			c.find(5, "I5", text, "it is no checkpoint of this chain")
			continue
		}
		if c.name != part[0] {
			c.find(5, "I5", text, "the chain's name is %q", c.name)
			continue
		}
		c.compareHead(text, seq, part[2])
	}
	if c.Anchor == "" {
		return
	}
	var a struct {
		Anchor struct {
			Seq  int64
			Head string
		}
	}
	b, err := os.ReadFile(c.Anchor)
	if err != nil || json.Unmarshal(b, &a) != nil {
		c.find(5, "I5", c.Anchor, "the anchor cannot be read: %v", err)
		return
	}
	c.compareHead("anchor", a.Anchor.Seq, a.Anchor.Head)
}

func (c *Case) compareHead(id string, seq int64, head string) {
	r := c.bySeq[seq]
	switch {
	case r == nil:
		c.find(5, "I5", id, "the chain ends at record %d, %d was there", len(c.chain)-1, seq)
	case hex.EncodeToString(r.Hash) != head:
		c.find(5, "I5", id, "record %d is another one than was there", seq)
	}
}

// digestsHash is what rows and outcomes keep of ordered digests (3).
func digestsHash(label string, list [][]byte) []byte {
	b := field(nil, []byte("assent/sam/digests/v1"))
	b = field(b, []byte(label))
	b = binary.BigEndian.AppendUint64(b, uint64(len(list)))
	for _, d := range list {
		b = field(b, d)
	}
	return hash(b)
}

func decodeAll(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = unb64(s)
	}
	return out
}

// checkSessions compares intents, outcomes and rows with each other: comparison
// 2 (I1), one use of each approval (I2), what nobody settled (comparison 7, I4).
func (c *Case) checkSessions() {
	for obj, list := range c.intents {
		if len(list) > 1 {
			c.find(3, "I2", obj, "it was reserved %d times, in records %d and %d", len(list), list[0].Seq, list[1].Seq)
		}
		if ends := len(c.outcomes[obj]) + len(c.withheld[obj]) + len(c.released[obj]); ends > 1 {
			c.find(3, "I2", obj, "it has %d ends", ends)
		}
		if reqs := c.requests[obj]; len(reqs) != 1 || reqs[0].N != int64(len(list[0].List)) || reqs[0].Key != list[0].Key ||
			reqs[0].Signer != list[0].Signer || reqs[0].Cert != list[0].Cert || reqs[0].Seq >= list[0].Seq {
			c.find(3, "I2", obj, "the reservation (record %d) is not what one activation request offered", list[0].Seq)
		}
	}
	for obj, list := range c.outcomes {
		in := c.intents[obj]
		if len(in) != 1 || in[0].Seq >= list[0].Seq {
			c.find(2, "I1", obj, "outcome record %d has %d intents before it", list[0].Seq, len(in))
			continue
		}
		if in[0].Key != list[0].Key || in[0].Signer != list[0].Signer || in[0].Cert != list[0].Cert ||
			list[0].Digests != b64(digestsHash(in[0].Alg, decodeAll(in[0].List))) {
			c.find(2, "I1", obj, "outcome record %d is of other digests, key or signer than intent %d", list[0].Seq, in[0].Seq)
		}
	}
	c.checkRows()
}

func (c *Case) checkRows() {
	for obj, s := range c.sessions {
		var want string
		switch {
		case len(c.outcomes[obj]) > 0:
			want = "consumed"
		case len(c.withheld[obj]) > 0:
			want = "burnt"
		case len(c.released[obj]) > 0:
			want = "released"
		case len(c.intents[obj]) > 0:
			want = "reserved"
		default:
			want = "open"
		}
		if s.State != want {
			c.find(3, "I2", obj, "its row says %q, the audit chain %q", s.State, want)
		}
		if s.State == "reserved" && c.Now.Unix()-s.Updated > int64(c.Open.Seconds()) {
			c.find(7, "I4", obj, "reserved for %d s and not settled", c.Now.Unix()-s.Updated)
		}
		if s.State == "consumed" {
			c.checkAnswer(obj, s)
		}
	}
	for _, m := range []map[string][]*record{c.intents, c.outcomes} {
		for obj, list := range m {
			if c.sessions[obj] == nil {
				c.find(3, "I2", obj, "record %d tells of a session that has no row", list[0].Seq)
			}
		}
	}
}

// checkAnswer compares a stored answer with the outcome record (I3).
func (c *Case) checkAnswer(obj string, s *session) {
	var a answer
	if err := json.Unmarshal(s.Answer, &a); err != nil || len(c.outcomes[obj]) == 0 {
		c.find(4, "I3", obj, "its stored answer cannot be read: %v", err)
		return
	}
	if b64(digestsHash("signatures", a.Signatures)) != c.outcomes[obj][0].Signatures {
		c.find(4, "I3", obj, "the stored signatures are not those of outcome record %d", c.outcomes[obj][0].Seq)
	}
	if s.InPart {
		return // the receipt holds the redemption
	}
	c.checkReceipt(obj, a, c.outcomes[obj][0])
}
