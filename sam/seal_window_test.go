package sam

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// epochs are sealers of windows, all of one token: number n of the list is of epoch n.
func epochs(t *testing.T, labels *[]string) (list []*epochSeal) {
	t.Helper()
	list = append(list, nil)
	for n, before := range []string{"", "assent/sam/epoch/2/mark-two/", "assent/sam/epoch/3/mark-three/"} {
		k, err := newEpochSeal(context.Background(), derived{labels}, "main", int64(n+1), before)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, k)
	}
	return list
}

func believing(records *epochSeal, low, high int64, all []*epochSeal) *sealer {
	w := &window{records: records, files: records, low: low, high: high, fileLow: low, all: map[int64]*epochSeal{}}
	for e := low; e <= high; e++ {
		w.all[e] = all[e]
	}
	s := &sealer{}
	s.now.Store(w)
	return s
}

// KPR-06: each epoch has keys of its own for each purpose, derived under labels of its
// own, and a seal is believed under exactly the number of its epoch, in a window that has
// it: not under another number, and not with an old key under a new number.
func TestKPR06SealNumberIsBound(t *testing.T) {
	var labels []string
	all := epochs(t, &labels)
	seen := map[string]bool{}
	for _, l := range labels {
		if seen[l] {
			t.Errorf("label %q twice", l)
		}
		seen[l] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d labels", len(seen))
	}
	for made := int64(1); made <= 3; made++ {
		r := &Tombstone{Key: "k-1", Destroyed: 7}
		stampUnder(all[made], r, 3)
		mac := r.MAC
		if epochOf(mac) != made || len(mac) != 32+2*min(int(made)-1, 1) {
			t.Errorf("epoch %d: %x", made, mac)
		}
		for low := int64(1); low <= 3; low++ {
			for high := low; high <= 3; high++ {
				for now := low; now <= high; now++ {
					s := believing(all[now], low, high, all)
					r.MAC = mac
					if err := s.check(r); (err == nil) != (low <= made && made <= high) || err != nil && !errors.Is(err, sap.ReasonSeal) {
						t.Errorf("of epoch %d, %d to %d count: %v", made, low, high, err)
					} else if made < low && !errors.Is(err, errStale) {
						t.Errorf("of epoch %d, %d to %d count: no reason: %v", made, low, high, err)
					}
					file := all[made].fileMAC([]byte("body"))
					if ok := s.anchorOK([]byte("body"), file); ok != (low <= made && made <= high) {
						t.Errorf("file of epoch %d, %d to %d count: %v", made, low, high, ok)
					}
					for said := uint16(0); said <= 4; said++ {
						if int64(said) == made && made > 1 {
							continue
						}
						other := append(binary.BigEndian.AppendUint16(nil, said), mac[len(mac)-32:]...)
						r.MAC = other
						if err := s.check(r); !errors.Is(err, sap.ReasonSeal) {
							t.Errorf("of epoch %d as %d: %v", made, said, err)
						}
						if s.anchorOK([]byte("body"), append(binary.BigEndian.AppendUint16(nil, said), file[len(file)-32:]...)) {
							t.Errorf("file of epoch %d as %d", made, said)
						}
					}
					if r.MAC = mac[len(mac)-32:]; made > 1 {
						if err := s.check(r); !errors.Is(err, sap.ReasonSeal) {
							t.Errorf("of epoch %d as the first: %v", made, err)
						}
					}
				}
			}
		}
	}
}

// KPR-06, KPR-11: a hidden value opens in a window that has its epoch, and says which it
// is; it is bound to that epoch besides its key.
func TestKPR06SealOfHiddenValues(t *testing.T) {
	var labels []string
	all := epochs(t, &labels)
	draw := func(b []byte) error { copy(b, "octets of a test"); return nil }
	for made := int64(1); made <= 3; made++ {
		hidden, err := believing(all[made], made, made, all).hide(draw, []byte("secret"), "a")
		if err != nil {
			t.Fatal(err)
		}
		for low := int64(1); low <= 3; low++ {
			for high := low; high <= 3; high++ {
				plain, epoch, err := believing(all[high], low, high, all).revealed(hidden, "a")
				switch {
				case made < low || made > high:
					if !errors.Is(err, sap.ReasonSeal) || plain != nil {
						t.Errorf("of epoch %d, %d to %d count: %q, %v", made, low, high, plain, err)
					}
				case err != nil || string(plain) != "secret" || epoch != made:
					t.Errorf("of epoch %d, %d to %d count: %q of %d, %v", made, low, high, plain, epoch, err)
				}
			}
		}
	}
	if !bytes.Equal(all[1].bound("a"), []byte("a")) || !bytes.Equal(all[2].bound("a"), []byte("\x00\x02a")) {
		t.Error("not bound to its epoch")
	}
}

// KPR-06: what the module's own record says of its epochs is under its seal: no two
// records of other numbers have one encoding, and the one of before keeps its own.
func TestKPR06SealCoversTheEpochs(t *testing.T) {
	seen := map[string]Meta{}
	for _, ceremony := range []string{"", "h", strings.Repeat("\x00", 16), "\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01"} {
		for epoch := int64(-1); epoch <= 3; epoch++ {
			for low := int64(-1); low <= 3; low++ {
				m := Meta{Cluster: "c", Ceremony: ceremony, SealEpoch: epoch, SealLow: low}
				var e encoder
				m.columns(&e)
				other, twice := seen[string(e.b)]
				none := func(m Meta) bool { return m.SealEpoch == m.SealLow && m.SealEpoch <= 1 }
				if twice && (other.Ceremony != m.Ceremony || !none(other) || !none(m)) { // numbers that openSeal refuses, or the first alone
					t.Errorf("%+v and %+v", other, m)
				}
				seen[string(e.b)] = m
			}
		}
	}
	m := Meta{Cluster: "c", Instance: "i", Epoch: 1, Ceremony: "h", SealEpoch: 1, SealLow: 1}
	var e encoder
	m.columns(&e)
	if want := fields("c", "i", 1, "", "h"); !bytes.Equal(e.b, want) {
		t.Errorf("%x, want %x", e.b, want)
	}
}
