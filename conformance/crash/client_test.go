package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// event is one line of the client's log (docs/audit-format.md, 6).
type event struct {
	Time     int64  `json:"t"`
	Ev       string `json:"ev"`
	ID       string `json:"id,omitempty"`
	Caller   string `json:"caller,omitempty"`
	SAD      []byte `json:"sad,omitempty"`
	Proof    []byte `json:"proof,omitempty"`
	Evidence []byte `json:"evidence,omitempty"`
	Status   int    `json:"status,omitempty"`
	Body     []byte `json:"body,omitempty"`
	Err      string `json:"err,omitempty"`
}

// client asks as ssad does and writes down what it sent and what it was told.
type client struct {
	s    *site
	http *http.Client
	ssa  *sapclient.Client
	rng  *rand.Rand
	docs int // documents so far: each has its own digest

	mu   sync.Mutex
	log  *os.File
	sent []redemption // all that were ever asked for, in order
}

// redemption is one approval, ready to be redeemed, again and again.
type redemption struct {
	id   string
	in   sapclient.RedeemIn
	body []byte
}

func newClient(s *site, seed uint64) *client {
	s.t.Helper()
	conf, err := mtls.Client(s.files["ssad"], "localhost")
	must(s.t, err)
	log, err := os.OpenFile(s.path("client.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	tr := &http.Transport{TLSClientConfig: conf}
	c := &client{s: s, log: log, ssa: s.ssa(), rng: rand.New(rand.NewPCG(seed, 1)), http: &http.Client{Transport: tr, Timeout: time.Minute}}
	s.t.Cleanup(func() { tr.CloseIdleConnections(); _ = log.Close() })
	return c
}

func (c *client) note(e event) {
	e.Time = time.Now().UnixMicro()
	text, err := json.Marshal(e)
	must(c.s.t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.log.Write(append(text, '\n'))
	must(c.s.t, err)
}

// approve gets an activation request and has the device approve it.
func (c *client) approve(n int) (redemption, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sg := c.s.signer
	signed, err := c.ssa.Request(ctx, sapclient.ActivationRequestIn{Signer: sg.ID, Key: sg.Key, N: n})
	if err != nil {
		return redemption{}, err
	}
	ring, err := c.ring(ctx, signed.Key)
	if err != nil {
		return redemption{}, err
	}
	req, err := sap.OpenWith(ring, signed, sap.OpenActivationRequest, func(r *sap.ActivationRequest) int64 { return r.Bind.IssuedAt })
	if err != nil {
		return redemption{}, err
	}
	items, err := c.items(req, n)
	if err != nil {
		return redemption{}, err
	}
	full, err := sg.Device.SAD(req, items)
	if err != nil {
		return redemption{}, err
	}
	var r redemption
	if r.in.SAD, r.in.Proof, err = sg.Device.Sign(full); err != nil {
		return redemption{}, err
	}
	r.in.Evidence = []byte("[]")
	r.body, err = json.Marshal(r.in)
	r.id = fmt.Sprintf("r%d", len(c.sent))
	c.sent = append(c.sent, r)
	return r, err
}

// items are documents that nobody has signed yet: PDF files, and files of which two have one signature.
func (c *client) items(req *sap.ActivationRequest, n int) ([]sap.Item, error) {
	alg, err := algo.Parse(req.Bind.Alg)
	if err != nil {
		return nil, err
	}
	list := make([]sap.Item, n)
	for i := range list {
		c.docs++
		digest := func(what string) []byte {
			h := alg.Hash().New()
			fmt.Fprintf(h, "%s %d", what, c.docs)
			return h.Sum(nil)
		}
		if c.docs%2 == 0 {
			list[i], err = sap.NewPAdESItem(i, "contract.pdf", alg, digest("document"), c.s.signer.Cert.Raw)
		} else {
			more := []sap.XAdESObject{{Name: "prices.csv", Doc: sap.B64(digest("prices")), MIME: "text/csv"}}
			list[i], err = sap.NewXAdESItem(i, "terms.txt", alg, digest("terms"), c.s.signer.Cert.Raw, sap.XAdES{
				ID: "sig", Form: sap.XAdESDetached, Time: req.Bind.IssuedAt, MIME: "text/plain", Commitments: []string{}, Roles: []string{}, Objects: &sap.XAdESObjects{More: more},
			})
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// redeem asks once and writes down the answer. The error tells that there was
// none.
func (c *client) redeem(r redemption) (int, []byte, error) {
	c.note(event{Ev: "redeem", ID: r.id, Caller: "ssad", SAD: r.in.SAD, Proof: r.in.Proof, Evidence: r.in.Evidence})
	res, err := c.http.Post("https://"+c.s.addr+sapclient.PathRedeem, "application/json", bytes.NewReader(r.body))
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(res.Body, 16<<20))
		_ = res.Body.Close()
	}
	if err != nil {
		c.note(event{Ev: "lost", ID: r.id, Err: err.Error()})
		return 0, nil, err
	}
	c.note(event{Ev: "answer", ID: r.id, Status: res.StatusCode, Body: body})
	return res.StatusCode, body, nil
}

// round approves a few documents and redeems the approvals side by side. It
// returns an error when the module did not answer.
func (c *client) round(parallel int) error {
	var list []redemption
	for range parallel {
		r, err := c.approve(1 + c.rng.IntN(3))
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, r := range list {
		wg.Go(func() { _, _, errs[i] = c.redeem(r) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// again asks for everything again, byte by byte, twice: what is told must not
// change. It returns how many were given their signatures.
func (c *client) again() (given int) {
	c.s.t.Helper()
	for _, r := range c.sent {
		s1, b1, err := c.redeem(r)
		must(c.s.t, err)
		s2, b2, err := c.redeem(r)
		must(c.s.t, err)
		if s1 != s2 || (s1 == http.StatusOK && !bytes.Equal(b1, b2)) {
			c.s.t.Errorf("%s: %d, then %d", r.id, s1, s2)
		}
		if s1 == http.StatusOK {
			given++
		}
	}
	return given
}

// ring is the module's keys as the device believes them: from the one of the enrolment on.
func (c *client) ring(ctx context.Context, key string) (*sap.Keyring, error) {
	ring, err := sap.NewKeyring(c.s.pub, nil)
	if err != nil || ring.Last().ID == key {
		return ring, err
	}
	info, err := c.ssa.Info(ctx)
	if err != nil {
		return nil, err
	}
	return sap.NewKeyring(c.s.pub, info.Successions)
}
