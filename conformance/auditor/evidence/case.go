package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Case says where the witnesses are. DB is required; a witness that is not named
// is not heard, and Report.Heard says which were.
type Case struct {
	DB          string   // the module's SQLite file
	TokenLogs   []string // of all tokens, in order
	ClientLogs  []string
	Checkpoints []string // "chain:seq:hash" that others kept
	Anchor      string   // the module's anchor file
	Key         string   // the module's statement key that is pinned, base64url SubjectPublicKeyInfo; "": no signature of the module is judged
	Samples     string   // log of process measurements
	Canaries    []string // secrets that must be nowhere in Scan
	Scan        []string // files and folders: logs, dumps, answers
	Now         time.Time
	Open        time.Duration // longest time a reservation may stay open; 30 s
	Skew        time.Duration // allowed difference of clocks; 50 ms
	MaxRSS      int64         // KiB; 0: no bound
	MaxCPU      int64         // milliseconds; 0: no bound

	chain       []*record
	sessions    map[string]*session
	credentials map[string]*credential
	uses        []Use
	events      []Event
	samples     []Sample

	requests map[string][]*record // by session
	intents  map[string][]*record
	outcomes map[string][]*record
	withheld map[string][]*record
	released map[string][]*record
	bySeq    map[int64]*record
	keyOf    map[string]string // token log's name of a key -> key id
	name     string            // of the chain
	keys     []statementKey    // the pinned one and those that follow it
	epoch    int64             // number of the last accepted restore; -1: none
	found    []Finding

	receipts, confirmed int // judged receipts and checkpoints
}

// Finding is one violation.
type Finding struct {
	Comparison int    // 1 to 9, of the fault plan 4.3
	Invariant  string // I1 to I9, of the design
	ID         string // what it is about
	Text       string
}

// Report is what Check found.
type Report struct {
	Findings []Finding
	Heard    string // how much was compared
}

// Violated lists the violated invariants, in order.
func (r Report) Violated() []string {
	var out []string
	for _, f := range r.Findings {
		if !slices.Contains(out, f.Invariant) {
			out = append(out, f.Invariant)
		}
	}
	sort.Strings(out)
	return out
}

func (c *Case) find(comparison int, invariant, id, text string, args ...any) {
	c.found = append(c.found, Finding{comparison, invariant, id, fmt.Sprintf(text, args...)})
}

// Check reads all witnesses and compares them. ErrInput when one of them cannot
// be read.
func Check(c Case) (Report, error) {
	if c.Open == 0 {
		c.Open = 30 * time.Second
	}
	if c.Skew == 0 {
		c.Skew = 50 * time.Millisecond
	}
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	if err := c.load(); err != nil {
		return Report{}, err
	}
	c.index()
	c.unpackAnswers()
	c.checkChain()
	c.checkCheckpoints()
	if err := c.checkKeys(); err != nil {
		return Report{}, err
	}
	c.checkSessions()
	c.checkUses()
	if err := c.checkClients(); err != nil {
		return Report{}, err
	}
	c.checkProcess()
	if err := c.checkCanaries(); err != nil {
		return Report{}, err
	}
	acks := 0
	for _, e := range c.events {
		if e.Ev == "answer" && e.Status == 200 {
			acks++
		}
	}
	return Report{c.found, fmt.Sprintf("%d audit records, %d sessions, %d token log lines, %d client events (%d acknowledged), %d receipts and %d checkpoints by %d statement keys",
		len(c.chain), len(c.sessions), len(c.uses), len(c.events), acks, c.receipts, c.confirmed, len(c.keys))}, nil
}

func (c *Case) load() error {
	if err := c.database(); err != nil {
		return err
	}
	for _, p := range c.TokenLogs {
		if err := c.tokenLog(p); err != nil {
			return err
		}
	}
	for _, p := range c.ClientLogs {
		if err := decodeLines(p, &c.events); err != nil {
			return err
		}
	}
	if c.Samples != "" {
		return decodeLines(c.Samples, &c.samples)
	}
	return nil
}

// Types of records, from docs/audit-format.md.
const (
	typeStart     = "chain_start"
	typeRequested = "activation_requested"
	typeReserved  = "activation_reserved"
	typeConsumed  = "activation_consumed"
	typeWithheld  = "activation_withheld"
	typeReleased  = "activation_released"
	typeKeyIntent = "key_generation_intent"
	typeKey       = "key_generated"
	typeRestore   = "restore_accepted"

	typeStatementKey = "statement_key_changed"
	typeCheckpoint   = "audit_checkpoint"
)

func (c *Case) index() {
	c.requests, c.intents, c.outcomes = map[string][]*record{}, map[string][]*record{}, map[string][]*record{}
	c.withheld, c.released = map[string][]*record{}, map[string][]*record{}
	c.epoch = -1
	c.bySeq, c.keyOf = map[int64]*record{}, map[string]string{}
	var start struct{ Chain string }
	if len(c.chain) > 0 && json.Unmarshal([]byte(c.chain[0].Data), &start) == nil {
		c.name = start.Chain
	}
	for _, r := range c.chain {
		c.bySeq[r.Seq] = r
		switch r.Type {
		case typeRestore:
			c.epoch = r.Seq
		case typeRequested:
			c.requests[r.Obj] = append(c.requests[r.Obj], r)
		case typeReserved:
			c.intents[r.Obj] = append(c.intents[r.Obj], r)
		case typeConsumed:
			c.outcomes[r.Obj] = append(c.outcomes[r.Obj], r)
		case typeWithheld:
			c.withheld[r.Obj] = append(c.withheld[r.Obj], r)
		case typeReleased:
			c.released[r.Obj] = append(c.released[r.Obj], r)
		}
		if r.Key != "" && r.Public != "" { // every record of a key's making, one-time keys too
			c.keyOf["spki:"+r.Public] = r.Key
		}
	}
	for _, k := range c.credentials {
		c.keyOf["spki:"+b64(hash(k.Public))] = k.Key
		if len(k.Blob) > 2 {
			// A PKCS #11 blob is version, mechanism, then what the token gave.
			c.keyOf["blob:"+b64(hash(k.Blob[2:]))] = k.Key
		}
	}
	// The database has the last blob of a key; one that was wrapped anew has the
	// token's word for what it was called before.
	for i := len(c.uses) - 1; i >= 0; i-- {
		if u := c.uses[i]; u.Ev == "wrapped" && c.keyOf[u.Key] == "" && c.keyOf["blob:"+u.Out] != "" {
			c.keyOf[u.Key] = c.keyOf["blob:"+u.Out]
		}
	}
}
