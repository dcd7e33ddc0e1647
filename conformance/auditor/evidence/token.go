package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// slot is one digest that an intent allows to be signed once.
type slot struct {
	intent *record
	used   bool
}

// checkUses compares the token's log with the chain: comparisons 1, 3 and 8.
func (c *Case) checkUses() {
	if len(c.TokenLogs) == 0 {
		return
	}
	allowed, tests := c.slots()
	outcome := c.lastOutcomes()
	unused := map[int64]bool{} // calls that the token refused before any key was used
	for _, u := range c.uses {
		unused[u.Call] = unused[u.Call] || u.Ev == "unused"
	}
	strangers := map[string][]Use{}
	done := map[string]int{} // finished uses by key and digest
	for _, u := range c.uses {
		if strings.HasPrefix(u.Key, "label:") {
			continue // the module's own keys
		}
		if unused[u.Call] {
			continue
		}
		if u.Ev == "signed" {
			done[c.keyOf[u.Key]+"/"+u.In]++
			c.checkOutcomeTime(u, outcome[c.keyOf[u.Key]+"/"+u.In])
			continue
		}
		if u.Ev != "sign" {
			continue
		}
		key := c.keyOf[u.Key]
		switch {
		case key == "":
			strangers[u.Key] = append(strangers[u.Key], u)
		case take(allowed[key+"/"+u.In], u, c):
		case tests[key+"/"+u.In] > 0:
			tests[key+"/"+u.In]--
		default:
			c.find(1, "I1", fmt.Sprintf("token log %d", u.N), "key %s signed %s, which no intent allows (any more)", key, u.In)
		}
	}
	c.checkStrangers(strangers)
	c.checkDone(done)
}

func (c *Case) slots() (allowed map[string][]*slot, tests map[string]int) {
	allowed, tests = map[string][]*slot{}, map[string]int{}
	for _, list := range c.intents {
		for _, in := range list {
			for _, d := range in.List {
				allowed[in.Key+"/"+d] = append(allowed[in.Key+"/"+d], &slot{intent: in})
			}
		}
	}
	for _, slots := range allowed {
		slices.SortFunc(slots, func(a, b *slot) int { return int(a.intent.Seq - b.intent.Seq) })
	}
	for _, r := range c.chain {
		if r.Key != "" && r.PoP != "" {
			tests[r.Key+"/"+r.PoP]++
			tests[r.Key+"/"+r.Generation]++
		}
	}
	return allowed, tests
}

// take uses up a slot. The same document may be approved twice, so that of
// several slots the first one whose intent is not later than the use counts.
func take(slots []*slot, u Use, c *Case) bool {
	at := time.UnixMicro(u.Time)
	var late *slot
	for _, s := range slots {
		if s.used {
			continue
		}
		if time.UnixMilli(s.intent.Time).After(at.Add(c.Skew)) {
			late = s
			continue
		}
		s.used = true
		if len(c.released[s.intent.Obj]) > 0 {
			c.find(1, "I1", fmt.Sprintf("token log %d", u.N), "the key was used for %s, which was released as never begun", s.intent.Obj)
		}
		return true
	}
	if late != nil {
		late.used = true
		c.find(8, "I1", fmt.Sprintf("token log %d", u.N), "signed at %s, the intent (record %d) is of %s", at.UTC().Format(time.RFC3339Nano),
			late.intent.Seq, time.UnixMilli(late.intent.Time).UTC().Format(time.RFC3339Nano))
		return true
	}
	return false
}

// lastOutcomes is the time of the last outcome for each key and digest.
func (c *Case) lastOutcomes() map[string]int64 {
	out := map[string]int64{}
	for obj, list := range c.outcomes {
		if in := c.intents[obj]; len(in) > 0 {
			for _, d := range in[0].List {
				out[list[0].Key+"/"+d] = max(out[list[0].Key+"/"+d], list[0].Time)
			}
		}
	}
	return out
}

// checkOutcomeTime: no outcome is recorded before the signature exists.
func (c *Case) checkOutcomeTime(u Use, outcome int64) {
	if late := time.UnixMicro(u.Time).Sub(time.UnixMilli(outcome)); outcome > 0 && late > c.Skew {
		c.find(8, "I1", fmt.Sprintf("token log %d", u.N), "the signature was made %s after its outcome was recorded", late)
	}
}

// checkStrangers: a key that the database does not know was made by a generation
// that a crash ended; it may have its two uses and no more.
func (c *Case) checkStrangers(keys map[string][]Use) {
	open := 0
	for _, r := range c.chain {
		switch r.Type {
		case typeKeyIntent:
			open++
		case typeKey:
			open--
		}
	}
	approved := map[string]bool{}
	for _, list := range c.intents {
		for _, d := range list[0].List {
			approved[d] = true
		}
	}
	for key, uses := range keys {
		if !strings.HasPrefix(key, "spki:") {
			c.checkThrowAway(key, uses, approved)
			continue
		}
		open--
		if open < 0 || len(uses) > 2 {
			c.find(1, "I1", fmt.Sprintf("token log %d", uses[0].N), "key %s was used %d times and belongs to no generation", key, len(uses))
		}
	}
}

// checkThrowAway: a log below the driver shows the keys of self-tests and of
// generations too. They are no signer's keys; each has a few uses, and none over
// anything that a signer approved.
func (c *Case) checkThrowAway(key string, uses []Use, approved map[string]bool) {
	const few = 4
	if len(uses) > few {
		c.find(1, "I1", fmt.Sprintf("token log %d", uses[0].N), "key %s, which is nobody's, was used %d times", key, len(uses))
	}
	for _, u := range uses {
		if approved[u.In] {
			c.find(1, "I1", fmt.Sprintf("token log %d", u.N), "key %s, which is nobody's, signed the approved digest %s", key, u.In)
		}
	}
}

// checkDone: what was recorded as signed, the token has signed, as often.
func (c *Case) checkDone(done map[string]int) {
	for obj, list := range c.outcomes {
		in := c.intents[obj]
		if len(in) != 1 {
			continue // found already
		}
		for _, d := range in[0].List {
			if done[in[0].Key+"/"+d]--; done[in[0].Key+"/"+d] < 0 {
				c.find(1, "I1", obj, "outcome record %d tells of a signature over %s that the token did not make", list[0].Seq, d)
			}
		}
	}
}
