package sam

import (
	"bytes"
	"context"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
)

// sealing is a token that derives seals and nothing else.
type sealing struct{ cryptotoken.Token }

func (sealing) Signer(context.Context, cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	return nil, cryptotoken.ErrKeyNotFound
}

func (sealing) DeriveSeal(context.Context, string) ([]byte, error) { return make([]byte, 32), nil }

func sampleBackup(t testing.TB, size int) (file, db []byte) {
	t.Helper()
	db = bytes.Repeat([]byte("0123456789abcdef"), size/16)
	h := BackupHeader{Cluster: "c", Chain: "00", Epoch: 1, Seq: 2, Head: "ff", Created: 3, Program: "p", Size: int64(len(db))}
	var out bytes.Buffer
	if err := writeBackup(context.Background(), sealing{}, h, BackupMaker{"a", "b", "why"}, bytes.NewReader(db), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), db
}

// BKP-01: databases whose length meets the ends of the parts come back as they were.
func TestBKP01EveryLengthComesBack(t *testing.T) {
	inside := 4 + len(`{"first":"a","second":"b","why":"why"}`)
	for _, n := range []int{0, 16, 4096, backupChunk - 16, backupChunk, 2*backupChunk - 32, 2 * backupChunk, 3*backupChunk + 16} {
		for _, size := range []int{n, n - inside} {
			if size < 0 {
				continue
			}
			file, db := sampleBackup(t, size/16*16)
			var out bytes.Buffer
			h, by, err := readBackup(context.Background(), sealing{}, "c", bytes.NewReader(file), &out)
			if err != nil || !bytes.Equal(out.Bytes(), db) || h.Seq != 2 || *by != (BackupMaker{"a", "b", "why"}) {
				t.Errorf("%d octets: %+v, %+v, %v", size, h, by, err)
			}
		}
	}
}

// BKP-01: whatever the file is, the reader ends, and it accepts exactly what was
// written.
func FuzzReadBackup(f *testing.F) {
	small, db := sampleBackup(f, 64)
	f.Add(small)
	f.Add(small[:len(small)-1])
	f.Add([]byte(backupMagic))
	f.Add([]byte("assent samd backup 1\n\xff\xff\xff\xff"))
	large, more := sampleBackup(f, backupChunk+64)
	f.Add(large)
	f.Fuzz(func(t *testing.T, file []byte) {
		var out bytes.Buffer
		_, _, err := readBackup(context.Background(), sealing{}, "c", bytes.NewReader(file), &out)
		// The salt is drawn anew in each process, and the corpus outlives it: what was
		// accepted is compared, not the file.
		if err == nil && !bytes.Equal(out.Bytes(), db) && !bytes.Equal(out.Bytes(), more) {
			t.Fatalf("accepted a database of %d octets that was never backed up", out.Len())
		}
	})
}
