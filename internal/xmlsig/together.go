package xmlsig

import (
	"bytes"
	"crypto"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
)

// together is what one pass over a document computes for all of its signatures and archive time-stamps. Without it each costs a pass of its
// own, over a document of which most sign the same: thirty of them over some megabytes took half a minute (I9).
type together struct {
	parts map[portion][]byte  // canonical octets of what is small
	sums  map[digested][]byte // what references are digests of
}

// portion is a part of the document in a canonical form.
type portion struct {
	written        // of the document: at is -1
	without  int64 // Job.Without
	unsigned bool  // Job.Unsigned
}

type digested struct {
	portion
	hash crypto.Hash
}

// Bounds of what is computed together: the octets that are kept, in bytes, and how many parts of archive time-stamps are looked at, since
// each covers all before it. Whoever is left out is read for by himself, as far as spend goes.
const (
	togetherRoom  = 16 << 20
	togetherParts = 20_000
)

func howOf(job c14n.Job) string {
	return fmt.Sprint(job.Method, job.Comments, " ", strings.Join(job.Prefixes, " "))
}

// portion is the key of a plan; false if it is not for a pass that others share: of a file beside, or of base64, where what fails while that
// is taken off would fail for all.
func (p *plan) portion() (portion, bool) {
	at := p.cover.Element.Start
	if p.cover.Document {
		at = -1
	}
	return portion{written{at, howOf(p.job)}, p.job.Without, p.job.Unsigned}, p.cover.File == "" && !p.cover.Content
}

// at is the plan of an element in a canonical form.
func at(form c14n.Job, start int64) plan {
	p := plan{job: form}
	p.job.Target, p.cover.Element.Start = c14n.ElementAt(start), start
	return p
}

// gathering is what the shared pass is to compute, each portion once.
type gathering struct {
	jobs  map[portion]*gathered
	order []*gathered
	room  int
	parts int // of archive time-stamps, looked at
}

type gathered struct {
	job  c14n.Job
	sums map[crypto.Hash]hash.Hash
	kept *spool
}

func (g *gathering) add(p *plan) *gathered {
	k, ok := p.portion()
	if !ok {
		return nil
	}
	one := g.jobs[k]
	if one == nil {
		one = &gathered{job: p.job, sums: map[crypto.Hash]hash.Hash{}}
		g.jobs[k], g.order = one, append(g.order, one)
	}
	return one
}

func (g *gathering) digest(p *plan, h crypto.Hash) {
	if one := g.add(p); one != nil && one.sums[h] == nil {
		one.sums[h] = h.New()
	}
}

func (g *gathering) keep(p *plan) {
	if one := g.add(p); one != nil && one.kept == nil {
		one.kept = &spool{room: &g.room}
	}
}

// signature adds what Check and ArchiveImprint of a signature are going to ask for.
func (g *gathering) signature(d *Document, s *Signature) {
	info := at(s.Form, s.infoAt)
	g.keep(&info)
	for i, r := range s.References {
		p, err := d.plan(s, i)
		if err != nil {
			return // Check says so
		}
		g.digest(&p, r.Hash)
	}
	if s.Properties == nil {
		return
	}
	for _, st := range s.Properties.Archives {
		if g.parts > togetherParts {
			return
		}
		parts, err := d.archived(s, st)
		if g.parts += len(parts); err != nil || st.Err != nil {
			continue
		}
		for i := range parts {
			g.keep(&parts[i])
		}
	}
}

// list are the jobs.
func (g *gathering) list() (jobs []c14n.Job) {
	for _, one := range g.order {
		var to []io.Writer
		for _, h := range one.sums {
			to = append(to, h)
		}
		if one.kept != nil {
			to = append(to, one.kept)
		}
		one.job.W = io.MultiWriter(to...)
		jobs = append(jobs, one.job)
	}
	return jobs
}

// readTogether reads the document for all signatures that can be read, when the second is asked about. It fails for nobody: whoever
// finds nothing there reads for himself.
func (d *Document) readTogether(doc io.ReaderAt, lim c14n.Limits) {
	if d.checks++; d.checks != 2 {
		return
	}
	g := &gathering{jobs: map[portion]*gathered{}, room: togetherRoom}
	var values []c14n.Job
	var keeps []func()
	for i := range d.Signatures {
		if s := &d.Signatures[i]; s.infoAt != 0 && len(s.defects) == 0 && len(s.References) <= maxReferences {
			g.signature(d, s)
			jobs, keep := d.values(s)
			values, keeps = append(values, jobs...), append(keeps, keep)
		}
	}
	if d.pass(doc, lim, nil, append(g.list(), values...)...) != nil {
		return
	}
	for _, keep := range keeps {
		keep()
	}
	d.all = g.result()
}

func (g *gathering) result() *together {
	t := &together{map[portion][]byte{}, map[digested][]byte{}}
	for k, one := range g.jobs {
		if one.kept != nil && !one.kept.over {
			t.parts[k] = bytes.Clone(one.kept.buf.Bytes())
		}
		for h, sum := range one.sums {
			t.sums[digested{k, h}] = sum.Sum(nil)
		}
	}
	return t
}

// sum is the digest of a plan, nil if it was not computed for all.
func (t *together) sum(p *plan, h crypto.Hash) []byte {
	if k, ok := p.portion(); t != nil && ok {
		return t.sums[digested{k, h}]
	}
	return nil
}

// octets are those of a plan, nil if they were not kept.
func (t *together) octets(p *plan) []byte {
	if k, ok := p.portion(); t != nil && ok {
		return t.parts[k]
	}
	return nil
}
