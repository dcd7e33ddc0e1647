package sam

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/assent-sign/assent/internal/audit"
)

// graveyard is the list of destroyed keys beside the anchor, one a line with its
// MAC, only ever appended to. After an accepted restore it destroys again what
// the older database brings back to life (KPR-08, BKP-03).
type graveyard struct {
	path string
	seal *sealer
	mu   sync.RWMutex
	keys map[string]bool
	seq  int64 // audit number up to which the database's tombstones are here

	absent bool // there was no file
}

const maxGraveLine = 512

func openGraveyard(path string, s *sealer) (*graveyard, error) {
	g := &graveyard{path: path, seal: s, keys: map[string]bool{}, seq: -1}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		g.absent = true
		return g, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: tombstones: %w", ErrOpen, err)
	}
	defer func() { _ = f.Close() }()
	if err := dropTornLine(f, maxGraveLine); err != nil {
		return nil, fmt.Errorf("%w: tombstones: %w", ErrOpen, err)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, maxGraveLine), maxGraveLine)
	for n := 1; lines.Scan(); n++ {
		key, mac, _ := strings.Cut(lines.Text(), " ")
		raw, err := base64.RawURLEncoding.DecodeString(mac)
		if err != nil || !s.anchorOK(graveBody(key), raw) {
			return nil, fmt.Errorf("%w: %s, line %d, was not written by this module", ErrOpen, path, n)
		}
		g.keys[key] = true
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrOpen, path, err)
	}
	return g, nil
}

// dropTornLine removes a last line of at most longest octets that a crash left
// without its end. A tombstone is in the database and is appended again; a failure
// on the list was not committed yet.
func dropTornLine(f *os.File, longest int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	end := st.Size()
	buf := make([]byte, min(end, longest))
	if _, err := f.ReadAt(buf, end-int64(len(buf))); err != nil {
		return err
	}
	keep := end - int64(len(buf)) + int64(bytes.LastIndexByte(buf, '\n')) + 1
	if keep == end {
		return nil
	}
	return f.Truncate(keep)
}

func (g *graveyard) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.keys)
}

// has tells whether a key is listed as destroyed.
func (g *graveyard) has(key string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.keys[key]
}

func graveBody(key string) []byte { return []byte("tombstone\x00" + key) }

func graveLine(s *sealer, key string) string {
	return key + " " + b64(s.anchorMAC(graveBody(key))) + "\n"
}

// follow appends the database's tombstones that are not here yet, durably. The
// caller holds the anchor's lock.
func (g *graveyard) follow(ctx context.Context, m *Module) error {
	for {
		var list []*Tombstone
		err := m.view(ctx, func(tx *Tx) error {
			var err error
			if list, err = tx.Tombstones.After(g.seq, 500); err != nil {
				return err
			}
			for _, t := range list {
				if err := m.seal.check(t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(list) == 0 {
			return err
		}
		if err := g.append(list); err != nil {
			return err
		}
		g.seq = list[len(list)-1].Seq
	}
}

func (g *graveyard) append(list []*Tombstone) error {
	var text strings.Builder
	for _, t := range list {
		if !g.keys[t.Key] {
			text.WriteString(graveLine(g.seal, t.Key))
		}
	}
	if text.Len() == 0 {
		return nil
	}
	f, err := os.OpenFile(g.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range list {
		g.keys[t.Key] = true
	}
	return nil
}

// reseal writes the whole list anew under the present epoch of seals (KPR-06), from what
// was verified when it was read. The caller holds the anchor's lock.
func (g *graveyard) reseal() error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if len(g.keys) == 0 {
		return nil
	}
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(g.keys)) {
		text.WriteString(graveLine(g.seal, key))
	}
	return replaceFile(g.path, []byte(text.String()))
}

// bury destroys every listed key that the database believes alive, and gives a
// tombstone to those of which it is too old to know.
func (g *graveyard) bury(w *work) error {
	for key := range g.keys {
		c, err := w.Credentials.Get(key)
		if isNotFound(err) {
			c, err = &Credential{Key: key}, nil
		} else if err == nil {
			err = w.m.verified(w.Tx, c, false)
		}
		if err != nil {
			return err
		}
		if c.State == KeyDestroyed {
			continue
		}
		if err := g.buryOne(w, c); err != nil {
			return err
		}
	}
	return nil
}

func (g *graveyard) buryOne(w *work, c *Credential) error {
	seq, err := w.log(EventDestroyed, audit.OK, "", audit.Data{"obj": c.object(), "key": c.Key, "signer": c.Signer, "restored": true})
	if err != nil {
		return err
	}
	t := &Tombstone{Key: c.Key, Destroyed: w.now.Unix()}
	w.stamp(t, seq)
	if err := w.Tombstones.Insert(t); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	if c.Version == 0 { // not in this database
		return nil
	}
	if err := move(keyMoves, &c.State, KeyDestroyed); err != nil {
		return err
	}
	c.Blob, c.Raw = nil, false
	w.stamp(c, seq)
	return w.Credentials.Update(c)
}
