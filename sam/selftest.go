package sam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// selfTest is one row of the table of self-tests (FPT-01, FPT-02).
type selfTest struct {
	name  string
	shows string // what a pass means, for operators and evaluators
	early bool   // at start, before anything of the module's state is read
	run   func(context.Context, *Module) error
}

// selfTests is everything that is tested at start, periodically and on demand.
// A failure at start keeps the module closed; later it brings the module into
// its secure state.
func selfTests() []selfTest {
	return []selfTest{
		{"digests", "SHA-256, SHA-384 and SHA-512 give known answers", true, answer("digests", katDigests)},
		{"hmac", "HMAC-SHA-256, the seal of records, gives its known answer", true, answer("hmac", katHMAC)},
		{"aes-gcm", "AES-256-GCM seals, opens, and refuses a changed tag", true, answer("aes-gcm", katGCM)},
		{"verify", "one signature of every algorithm verifies, over its digest only", true, answer("verify", katVerify)},
		{"sign", "ECDSA on each curve signs as RFC 6979 says", true, answer("sign", katSign)},
		{"canonical-json", "one canonical form is made and no other is read", true, answer("canonical-json", katJSON)},
		{"webauthn", "a genuine assertion is accepted, others are refused", true, answer("webauthn", katWebAuthn)},
		{"receipts", "the tree under receipts has its known root", true, answer("receipts", katReceipts)},
		{"random", "the source of random numbers passes its health tests (KEY-11)", true, testRandom},
		{"code", "the program file is the configured one, when one is configured: not that the running process is", true, testCode},
		{"token", "the token wraps, unwraps, signs and refuses a changed blob", true, testToken},
		{"statement-key", "the key of requests, receipts and checkpoints signs rightly", false, testStatementKey},
		{"audit", "the audit chain goes on from the anchored record", false, testAudit},
		{"records", "a sample of sealed records is as the module wrote it", false, testRecords},
		{"clock", "the time is not before the last audit record", false, testClock},
	}
}

// What made a self-test run.
const (
	testAtStart  = "start"
	testPeriodic = "periodic"
	testOnDemand = "demand"
	testReopen   = "reopen"
)

// ErrSelfTest is the cause of what a failed self-test stops. The error around it
// names the tests.
var ErrSelfTest = errors.New("sam: self-test failed")

// SelfTestResult is the outcome of one test.
type SelfTestResult struct {
	Name, Shows string
	OK          bool
	Detail      string // why it failed
}

// SelfTestReport is the outcome of all tests of one run.
type SelfTestReport struct {
	Time    int64 // Unix seconds
	Trigger string
	Results []SelfTestResult
}

// Failed lists the names of the tests that failed.
func (r *SelfTestReport) Failed() []string {
	out := []string{}
	for _, t := range r.Results {
		if !t.OK {
			out = append(out, t.Name)
		}
	}
	return out
}

// err is nil when all passed.
func (r *SelfTestReport) err() error {
	failed := r.Failed()
	if len(failed) == 0 {
		return nil
	}
	var why []string
	for _, t := range r.Results {
		if !t.OK {
			why = append(why, t.Name+": "+t.Detail)
		}
	}
	return fmt.Errorf("%w: %s", ErrSelfTest, strings.Join(why, "; "))
}

// runTests runs the rows that want chooses, all of them, also after a failure:
// an officer sees everything that is wrong. errs has the errors themselves.
func (m *Module) runTests(ctx context.Context, trigger string, want func(selfTest) bool) (report *SelfTestReport, errs error) {
	report = &SelfTestReport{Time: m.clock.Now().Unix(), Trigger: trigger}
	var failed []error
	for _, t := range selfTests() {
		if !want(t) {
			continue
		}
		err := t.run(ctx, m)
		res := SelfTestResult{Name: t.name, Shows: t.shows, OK: err == nil}
		if err != nil {
			res.Detail = detail(err)
			failed = append(failed, fmt.Errorf("%s: %w", t.name, err))
		}
		report.Results = append(report.Results, res)
	}
	if len(failed) > 0 {
		errs = fmt.Errorf("%w: %w", ErrSelfTest, errors.Join(failed...))
	}
	return report, errs
}

// testAtStart runs one half of the table while the module is being opened.
func (m *Module) testsAtStart(ctx context.Context, early bool) error {
	report, err := m.runTests(ctx, testAtStart, func(t selfTest) bool {
		return t.early == early && (t.name != "clock" || m.closedWhy() == "") // closed: settleTime
	})
	if before := m.lastTest.Load(); before != nil {
		report.Results = append(append([]SelfTestResult{}, before.Results...), report.Results...)
	}
	m.lastTest.Store(report)
	if err == nil {
		return nil
	}
	if !early { // there is a chain to write to
		if logErr := m.logTests(ctx, self(), report, EventStop); logErr != nil {
			err = errors.Join(err, logErr)
		}
	}
	return fmt.Errorf("%w: %w", ErrOpen, err)
}

// logTests records the result of a run and, when the module ends with it, a
// further event.
func (m *Module) logTests(ctx context.Context, c Caller, r *SelfTestReport, further ...string) error {
	return m.update(ctx, c, func(w *work) error {
		outcome, reason := audit.OK, sap.Reason("")
		if len(r.Failed()) > 0 {
			outcome, reason = audit.Error, sap.ReasonSelfTest
		}
		data := audit.Data{"trigger": r.Trigger, "tests": len(r.Results), "failed": r.Failed()}
		if err := r.err(); err != nil {
			data["detail"] = clip(err.Error(), 500)
		}
		if _, err := w.log(EventSelfTest, outcome, reason, data); err != nil {
			return err
		}
		for _, e := range further {
			if _, err := w.log(e, audit.OK, "", audit.Data{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// testNow runs the whole table, records the result, and closes the module when a
// test fails (FPT-02, FPT-03).
func (m *Module) testNow(ctx context.Context, c Caller, trigger string) (*SelfTestReport, error) {
	m.testMu.Lock()
	defer m.testMu.Unlock()
	report, err := m.runTests(ctx, trigger, func(selfTest) bool { return true })
	m.lastTest.Store(report)
	if err == nil {
		return report, m.logTests(ctx, c, report)
	}
	m.condMu.Lock() // the cause stands before the closing in the chain: housekeeping waits
	defer m.condMu.Unlock()
	m.stopUse(report.err().Error()) // before anything is written: the disk may be what fails
	logErr := m.logTests(ctx, c, report)
	m.saveOrLater(ctx)
	return report, logErr
}

// SelfTest runs all self-tests now (officer, also while the module is closed) and
// returns the result. When one fails, the module is closed afterwards.
func (m *Module) SelfTest(ctx context.Context, c Caller) (*SelfTestReport, error) {
	if err := m.admit(ctx, c, OpSelfTest); err != nil {
		return nil, err
	}
	report, err := m.testNow(context.WithoutCancel(ctx), c, testOnDemand)
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpSelfTest), err, audit.Data{})
	}
	return report, nil
}

// answer makes a row of a known-answer test. Config.Fault, which only tests set,
// spoils what the named one computes.
func answer(name string, run knownAnswer) func(context.Context, *Module) error {
	return func(_ context.Context, m *Module) error {
		return run(func(b []byte) []byte {
			if m.cfg.Fault != nil && m.cfg.Fault(name) && len(b) > 0 {
				b = append([]byte{}, b...)
				b[len(b)/2] ^= 0x10
			}
			return b
		})
	}
}

// draw fills b with random bytes. A source that fails its health tests closes the
// module: nothing that was to be random may go out (KEY-11).
func (m *Module) draw(b []byte) error {
	if err := m.random.Fill(b); err != nil {
		m.stopUse(err.Error())
		return fmt.Errorf("%w: %w", sap.ReasonClosed, err)
	}
	return nil
}

func testRandom(_ context.Context, m *Module) error { return m.random.Test() }

// maxProgram bounds what is hashed as the program.
const maxProgram = 1 << 30

// testCode compares the program file with the configured digest. It finds a file
// that was damaged, or exchanged by someone who cannot change the configuration
// too. It says nothing about the memory of the running process, and nothing when
// no digest is configured.
func testCode(_ context.Context, m *Module) error {
	if m.cfg.CodeSHA256 == "" {
		return nil
	}
	got, err := m.programDigest()
	if err != nil {
		return err
	}
	if got != m.cfg.CodeSHA256 {
		return fmt.Errorf("program file %s has SHA-256 %s, configured is %s", m.cfg.Program, got, m.cfg.CodeSHA256)
	}
	return nil
}

// testToken asks the token to test itself. A token that is away for a moment (a
// worker process is being replaced) is asked again before that counts.
func testToken(ctx context.Context, m *Module) error {
	p, ok := m.token.(cryptotoken.Prober)
	if !ok {
		return nil
	}
	for attempt := 0; ; attempt++ {
		err := p.Probe(ctx)
		away := errors.Is(err, cryptotoken.ErrUnavailable) || errors.Is(err, cryptotoken.ErrTimeout)
		if err == nil || !away || attempt == 2 {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-m.stop:
			return err
		}
	}
}

func testStatementKey(_ context.Context, m *Module) error { return cryptotoken.Prove(m.key()) }

func testAudit(ctx context.Context, m *Module) error {
	m.anchorMu.Lock()
	anchored := m.anchored
	m.anchorMu.Unlock()
	return m.view(ctx, func(tx *Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		if err := follows(tx, anchored, head); err != nil {
			return err
		}
		m.tipMu.Lock()
		tip := m.tip
		m.tipMu.Unlock()
		return recheckChain(tx, m.instance, tip)
	})
}

// sampled is how many places of the audit chain are taken; each leads to the
// record whose change it tells of.
const sampled = 64

// testRecords verifies the module's own records and others at random.
func testRecords(ctx context.Context, m *Module) error {
	return m.view(ctx, func(tx *Tx) error {
		meta, err := tx.Meta.Get()
		if err != nil {
			return err
		}
		cond, err := tx.Condition.Get()
		if err != nil {
			return err
		}
		if err := errors.Join(m.verified(tx, meta, true), m.verified(tx, cond, true)); err != nil {
			return err
		}
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		for range sampled {
			n, err := m.number(head.Seq + 1)
			if err != nil {
				return err
			}
			page, err := tx.Audit.Page(n, 1)
			if err != nil {
				return err
			}
			if len(page) != 1 {
				return fmt.Errorf("%w: audit record %d is missing", sap.ReasonSeal, n)
			}
			if err := m.verifyNamed(tx, page[0]); err != nil {
				return err
			}
		}
		return nil
	})
}

// verifyNamed checks the signer's or key's record that an audit record names.
func (m *Module) verifyNamed(tx *Tx, r audit.Record) error {
	var d struct {
		Obj string `json:"obj"`
	}
	if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
		return fmt.Errorf("%w: audit record %d: %w", sap.ReasonSeal, r.Seq, err)
	}
	kind, id, _ := strings.Cut(d.Obj, ":")
	switch kind {
	case "signer":
		_, err := m.signerRecord(tx, id, true)
		return err
	case "key":
		c, err := tx.Credentials.Get(id)
		if isNotFound(err) && m.graves.has(id) {
			return nil // of a database before an accepted restore
		}
		if err != nil {
			return notFound(err, sap.ReasonSeal)
		}
		return m.verified(tx, c, true)
	case "once":
		o, err := tx.Onces.Get(id)
		if isNotFound(err) {
			return nil // destroyed ones are forgotten in time; there is no key in them
		}
		if err != nil {
			return err
		}
		return m.verified(tx, o, true)
	}
	return nil
}

// number draws one from 0 to n-1; the small bias of the remainder does not matter
// for a sample.
func (m *Module) number(n int64) (int64, error) {
	var b [8]byte
	if err := m.draw(b[:]); err != nil {
		return 0, err
	}
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return int64(v % uint64(n)), nil
}
