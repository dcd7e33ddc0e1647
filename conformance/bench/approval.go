package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// benchApproval measures what a signer waits for: from the finished approval to
// the signed and synced file, through samd, by size of the document.
func benchApproval(ctx context.Context, c config) error {
	heading("From the approval to the signed file (redeem through samd, fill the place, sync), by size")
	dir, err := os.MkdirTemp("", "assent-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "samd-bin")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/assent-sign/assent/cmd/samd").CombinedOutput(); err != nil {
		return fmt.Errorf("build samd: %w\n%s", err, out)
	}
	s, err := startSite(ctx, bin, filepath.Join(dir, "site"), "token: {driver: softtoken, dir: "+dir+"/site/token, pin_file: "+dir+"/site/pin, create: true}")
	if err != nil {
		return err
	}
	defer s.stop()
	w, err := newSigner(ctx, dir, algo.P256)
	if err != nil {
		return err
	}
	sizes := []int{100 << 10, 1 << 20, 10 << 20, 100 << 20}
	if c.short {
		sizes = sizes[:2]
	}
	var cs []contender
	for _, n := range sizes {
		job, err := s.prepared(ctx, w.entry.Worker, dir, n)
		if err != nil {
			return err
		}
		defer func() { _ = job.out.Close() }()
		cs = append(cs, contender{name: fmt.Sprintf("%d KiB", n>>10), run: func() error { return job.finish(ctx) }, reset: func() { job.approve(ctx) }})
	}
	return compare("CPU of the application only; the first size is the floor", "floor", c.rounds*2, cs)
}

// job is one prepared document that is approved and finished again and again.
type job struct {
	s      *site
	p      *person
	worker workers.Worker
	state  *workers.Prepared
	out    *os.File
	in     sapclient.RedeemIn
	err    error
}

func (s *site) prepared(ctx context.Context, w workers.Worker, dir string, n int) (*job, error) {
	j := &job{s: s, p: s.persons[0], worker: w}
	path := filepath.Join(dir, "doc.pdf")
	if err := bigPDF(path, n); err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	st, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if j.out, err = os.Create(filepath.Join(dir, fmt.Sprintf("prepared-%d.pdf", n))); err != nil {
		return nil, err
	}
	j.state, err = w.Prepare(ctx, workers.Input{Document: in, Size: st.Size(), Name: "doc.pdf", Chain: j.p.chain, Alg: algo.ES256, Time: time.Now()}, j.out)
	return j, err
}

// approve is the signer's part; the document was hashed when it was shown.
func (j *job) approve(ctx context.Context) {
	req, err := j.s.client.Request(ctx, sapclient.ActivationRequestIn{Signer: j.p.id, Key: j.p.key, N: 1})
	if err != nil {
		j.err = err
		return
	}
	sad, err := j.p.dev.Compose(ctx, device.Offer{Request: req, Chain: j.p.chain, Ctx: sap.Context{Operation: "op1", Asker: "bench", Purpose: "bench", Level: "B-B"}})
	if err != nil {
		j.err = err
		return
	}
	item, err := sap.NewPAdESItem(0, "doc.pdf", algo.ES256, j.state.DocDigest, j.p.chain[0])
	if err != nil {
		j.err = err
		return
	}
	sad.Items = []sap.Item{item}
	text, err := sad.Encode()
	if err != nil {
		j.err = err
		return
	}
	proof, err := j.p.dev.Assert(sad, text)
	j.in, j.err = sapclient.RedeemIn{SAD: text, Proof: proof}, err
}

func (j *job) finish(ctx context.Context) error {
	if j.err != nil {
		return j.err
	}
	out, err := j.s.client.Redeem(ctx, j.in)
	if err != nil {
		return err
	}
	if len(out.Signatures) != 1 {
		return errors.New("no signature")
	}
	_, err = j.worker.Finish(ctx, j.state, out.Signatures[0], j.out)
	return err
}
