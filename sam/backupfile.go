package sam

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// The form of a backup (BKP-01). After a fixed first line comes the header, in
// clear: which module, which state, when; nothing about a person. All that follows
// is encrypted and authenticated in chunks with AES-256-GCM. The key is derived
// from the token (Sealer), a salt of the file and the header: another token, another
// cluster or an edited header opens nothing. Nonces count; the last chunk is marked
// in its nonce, so that a file that was cut, continued, or whose chunks were moved
// does not open. Who made it is inside, before the database.
//
//	"assent samd backup 1\n" | length of header, 4 octets | header, canonical JSON |
//	chunks of 64 KiB + 16, the last one shorter or equal

// ErrBackup is the cause when a file is not a whole backup of this module.
var ErrBackup = errors.New("sam: not a whole backup of this module")

const (
	backupMagic  = "assent samd backup 1\n"
	backupType   = "assent-samd-backup/1"
	sealBackup   = "assent/sam/backup/1"
	backupChunk  = 64 << 10
	maxBackupTop = 4096 // octets of the header, and of the part inside before the database
)

// BackupHeader is what a backup says of itself in clear. It is authenticated.
type BackupHeader struct {
	Type    string `json:"type"`
	Cluster string `json:"cluster"`
	Chain   string `json:"chain"` // instance
	Epoch   int64  `json:"epoch"`
	Seq     int64  `json:"seq"`  // last audit record in it
	Head    string `json:"head"` // its hash, hex
	Created int64  `json:"created"`
	Program string `json:"program"` // version of samd
	Size    int64  `json:"size"`    // octets of the database
	Salt    string `json:"salt"`
	Seal    int64  `json:"seal,omitempty"` // epoch of the sealing key that its key is derived from (KPR-06); 0: the first
}

// BackupMaker is who made a backup, inside it.
type BackupMaker struct {
	First  string `json:"first"`
	Second string `json:"second"`
	Why    string `json:"why"`
}

// backupSeal seals or opens the chunks of one file.
type backupSeal struct {
	aead  cipher.AEAD
	bound []byte
	n     uint32
}

func newBackupSeal(ctx context.Context, token cryptotoken.Token, h *BackupHeader, header []byte, salt []byte) (*backupSeal, error) {
	master, err := backupSecret(ctx, token, h)
	if err != nil {
		return nil, fmt.Errorf("token cannot derive the key of backups: %w", err)
	}
	defer clear(master)
	bound := sha256.Sum256(append([]byte(backupMagic), header...))
	key, err := hkdf.Key(sha256.New, master, salt, backupType+string(bound[:]), 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &backupSeal{aead: aead, bound: bound[:]}, err
}

// backupSecret is what the token derives for the backups of a module in an epoch of its
// sealing key.
func backupSecret(ctx context.Context, token cryptotoken.Token, h *BackupHeader) ([]byte, error) {
	before, err := sealLabels(ctx, token, h.Cluster, max(h.Seal, 1))
	if errors.Is(err, errSealGone) {
		return nil, fmt.Errorf("%w: it is from before the change of the sealing key; restore one that was made after it: %w", ErrBackup, err)
	}
	if err != nil {
		return nil, err
	}
	return token.(cryptotoken.Sealer).DeriveSeal(ctx, before+sealBackup+"/"+h.Cluster)
}

// nonce is seven zero octets, the chunk's number, and 1 for the last one.
func (s *backupSeal) nonce(last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint32(n[7:], s.n)
	if last {
		n[11] = 1
	}
	return n
}

func (s *backupSeal) next() error {
	if s.n++; s.n == 0 {
		return errors.New("sam: the database is too large for a backup")
	}
	return nil
}

// backupWriter encrypts what is written to it; Close writes the last chunk.
type backupWriter struct {
	to   io.Writer
	seal *backupSeal
	buf  []byte
}

// Write implements io.Writer. A full chunk waits until more comes: it may be the
// last.
func (w *backupWriter) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if len(w.buf) == backupChunk {
			if err := w.flush(false); err != nil {
				return done, err
			}
		}
		n := min(len(p), backupChunk-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p, done = p[n:], done+n
	}
	return done, nil
}

func (w *backupWriter) flush(last bool) error {
	sealed := w.seal.aead.Seal(nil, w.seal.nonce(last), w.buf, w.seal.bound)
	clear(w.buf)
	w.buf = w.buf[:0]
	if _, err := w.to.Write(sealed); err != nil {
		return err
	}
	return w.seal.next()
}

// writeBackup writes a backup of a database of h.Size octets to w (KPR-05, BKP-01).
func writeBackup(ctx context.Context, token cryptotoken.Token, h BackupHeader, by BackupMaker, db io.Reader, w io.Writer) error {
	salt := make([]byte, 32)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	h.Type, h.Salt = backupType, sap.B64(salt)
	header, err := jcs.Marshal(h)
	if err != nil {
		return err
	}
	inside, err := jcs.Marshal(by)
	if err != nil {
		return err
	}
	if len(header) > maxBackupTop || len(inside) > maxBackupTop {
		return fmt.Errorf("%w: header over %d octets", ErrBackup, maxBackupTop)
	}
	seal, err := newBackupSeal(ctx, token, &h, header, salt)
	if err != nil {
		return err
	}
	top := append([]byte(backupMagic), binary.BigEndian.AppendUint32(nil, uint32(len(header)))...)
	if _, err := w.Write(append(top, header...)); err != nil {
		return err
	}
	out := &backupWriter{to: w, seal: seal, buf: make([]byte, 0, backupChunk)}
	if _, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(inside))), inside...)); err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(db, h.Size+1))
	if err != nil {
		return err
	}
	if n != h.Size {
		return fmt.Errorf("sam: the copy of the database has %d octets, expected %d", n, h.Size)
	}
	return out.flush(true)
}

// ReadBackupHeader reads the clear part of a backup. Nothing of it is proven yet.
func ReadBackupHeader(r io.Reader) (*BackupHeader, error) {
	h, _, err := readBackupHeader(r)
	return h, err
}

func readBackupHeader(r io.Reader) (*BackupHeader, []byte, error) {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrBackup, why) }
	top := make([]byte, len(backupMagic)+4)
	if _, err := io.ReadFull(r, top); err != nil || !bytes.HasPrefix(top, []byte(backupMagic)) {
		return nil, nil, bad("it does not begin as one")
	}
	n := binary.BigEndian.Uint32(top[len(backupMagic):])
	if n > maxBackupTop {
		return nil, nil, bad("its header is too long")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, nil, bad("its header is cut off")
	}
	var h BackupHeader
	if err := jcs.Unmarshal(text, &h); err != nil {
		return nil, nil, bad("its header cannot be read")
	}
	if h.Type != backupType || h.Size < 0 || h.Seal < 0 || h.Seal > maxEpoch || !sap.ValidID(h.Cluster) {
		return nil, nil, bad("its header is of another kind")
	}
	return &h, text, nil
}

// readBackup decrypts a backup: every chunk is verified before anything of it is
// written, and what was written counts only when readBackup returns nil. Memory
// is one chunk, whatever the file is.
func readBackup(ctx context.Context, token cryptotoken.Token, cluster string, r io.Reader, w io.Writer) (*BackupHeader, *BackupMaker, error) {
	h, text, err := readBackupHeader(r)
	if err != nil {
		return nil, nil, err
	}
	if h.Cluster != cluster {
		return nil, nil, fmt.Errorf("%w: it is of the module %q, this is %q", ErrBackup, h.Cluster, cluster)
	}
	salt, err := sap.UnB64(h.Salt)
	if err != nil || len(salt) != 32 {
		return nil, nil, fmt.Errorf("%w: its salt cannot be read", ErrBackup)
	}
	seal, err := newBackupSeal(ctx, token, h, text, salt)
	if err != nil {
		return nil, nil, err
	}
	out := &splitter{to: w, left: h.Size}
	if err := seal.open(r, out); err != nil {
		return nil, nil, err
	}
	by, err := out.end()
	return h, by, err
}

// open decrypts chunk after chunk. The end of the file must be the marked chunk.
func (s *backupSeal) open(r io.Reader, w io.Writer) error {
	const sealed = backupChunk + 16
	buf, ahead := make([]byte, sealed+1), 0
	plain := make([]byte, 0, backupChunk)
	for {
		n, err := io.ReadFull(r, buf[ahead:])
		n += ahead
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		chunk := buf[:min(n, sealed)]
		plain, err = s.aead.Open(plain[:0], s.nonce(last), chunk, s.bound)
		if err != nil {
			return fmt.Errorf("%w: part %d was changed or is not of this token, or the file is cut off", ErrBackup, s.n)
		}
		if _, err := w.Write(plain); err != nil {
			return err
		}
		if last {
			return nil
		}
		if err := s.next(); err != nil {
			return err
		}
		buf[0], ahead = buf[sealed], 1
	}
}

// splitter takes the part before the database off and counts the rest.
type splitter struct {
	to   io.Writer
	top  []byte
	left int64
}

// need is how much of the part before the database is missing.
func (s *splitter) need() int {
	if len(s.top) < 4 {
		return 4 - len(s.top)
	}
	n := binary.BigEndian.Uint32(s.top)
	if n > maxBackupTop {
		return -1
	}
	return 4 + int(n) - len(s.top)
}

// Write implements io.Writer.
func (s *splitter) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		need := s.need()
		if need < 0 {
			return 0, fmt.Errorf("%w: who made it is too long", ErrBackup)
		}
		if need == 0 {
			break
		}
		n := min(need, len(p))
		s.top, p = append(s.top, p[:n]...), p[n:]
	}
	if s.left -= int64(len(p)); s.left < 0 {
		return 0, fmt.Errorf("%w: it holds more than it says", ErrBackup)
	}
	if len(p) > 0 {
		if _, err := s.to.Write(p); err != nil {
			return 0, err
		}
	}
	return all, nil
}

func (s *splitter) end() (*BackupMaker, error) {
	var by BackupMaker
	if s.need() != 0 || s.left != 0 {
		return nil, fmt.Errorf("%w: it holds less than it says", ErrBackup)
	}
	if err := jcs.Unmarshal(s.top[4:], &by); err != nil {
		return nil, fmt.Errorf("%w: who made it cannot be read", ErrBackup)
	}
	return &by, nil
}
