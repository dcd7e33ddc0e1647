package sqldb

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/assent-sign/assent/internal/failpoint"
)

// commitLoop is the only writer.
func (d *DB) commitLoop() {
	defer close(d.done)
	group := make([]*job, 0, d.group)
	last := 0 // size of the group before
	for j := range d.jobs {
		group = append(group[:0], j)
		group = d.fill(group)
		// Under load others are about to come: giving them the processor first
		// makes the commit larger, and a commit costs the same for one as for
		// many. Alone, nobody is waited for.
		for range linger {
			if last <= 1 || len(group) >= d.group {
				break
			}
			runtime.Gosched()
			group = d.fill(group)
		}
		last = len(group)
		d.commit(group)
		for i, j := range group {
			close(j.done)
			group[i] = nil
		}
	}
}

// linger is how often the writer gives way before it commits under load.
const linger = 8

// fill takes what waits already.
func (d *DB) fill(group []*job) []*job {
	for len(group) < d.group {
		select {
		case more, ok := <-d.jobs:
			if !ok {
				return group
			}
			group = append(group, more)
		default:
			return group
		}
	}
	return group
}

// commit runs a group. A crash before COMMIT returns leaves nothing of it, or,
// when the flush had ended, all of it; no Update has returned nil by then.
func (d *DB) commit(group []*job) {
	err := d.writer.exec("BEGIN IMMEDIATE")
	if err != nil {
		failAll(group, fmt.Errorf("%w: begin: %w", ErrCommit, err))
		return
	}
	live := 0
	defer func() {
		if err != nil {
			d.memo = nil
		}
	}()
	if err = d.lookAround(); err != nil {
		_ = d.writer.exec("ROLLBACK")
		failAll(group, fmt.Errorf("%w: %w", ErrCommit, err))
		return
	}
	for _, j := range group {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if j.err, err = d.part(j); err != nil {
			_ = d.writer.exec("ROLLBACK")
			failAll(group, fmt.Errorf("%w: %w", ErrCommit, err))
			return
		}
		if j.err == nil {
			live++
		}
	}
	if live == 0 {
		_ = d.writer.exec("ROLLBACK")
		return
	}
	failpoint.Before("sqldb/28-committed")
	if err = d.writer.exec("COMMIT"); err != nil {
		_ = d.writer.exec("ROLLBACK")
		failAll(group, fmt.Errorf("%w: %w", ErrCommit, err))
	}
	failpoint.After("sqldb/28-committed")
}

// lookAround notices what others have written since the last group. What the
// committer remembers is then worth nothing.
func (d *DB) lookAround() error {
	v, err := d.dataVersion()
	if err == nil && v != d.version {
		d.version, d.memo = v, nil
		d.foreign.Add(1)
	}
	return err
}

// part runs one function under its savepoint. broken means that the whole
// transaction is lost: SQLite itself rolls back everything on some errors (disk
// full, I/O, out of memory), and then the savepoint is gone.
func (d *DB) part(j *job) (err, broken error) {
	if err := d.writer.exec("SAVEPOINT part"); err != nil {
		return nil, err
	}
	err = guard(j.fn, &Tx{c: d.writer, memo: &d.memo})
	if err != nil {
		d.memo = nil
		if back := d.writer.exec("ROLLBACK TO part"); back != nil {
			return nil, errors.Join(err, back)
		}
	}
	return err, d.writer.exec("RELEASE part")
}

// failAll gives the group's error to every part that had none of its own.
func failAll(group []*job, err error) {
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
	}
}

func guard(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
	}()
	return fn(tx)
}
