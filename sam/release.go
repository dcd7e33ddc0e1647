package sam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Release counts the releases of the module. It grows with every one that changes
// what records, seals, audit or checks mean, and never goes back (FPT-06). Each
// start puts it on record, with the digests of the program file and of the
// configuration. An older module on the records of a newer one does not know rules
// that they rely on, or has faults that were mended: it is refused, unless two
// officers of the newer one have decided that it may start.
//
// What was released before this count existed cannot refuse itself; the numbers of the database's schema
// hold it off.
const Release = 1

// DecideDowngrade lets an older release start next.
const DecideDowngrade = "downgrade"

// Downgrade is the argument of the decision downgrade.
type Downgrade struct {
	Release int    `json:"release"` // that may start; older than the one that runs
	Why     string `json:"why"`
}

// objectRelease names, in the audit data, the records that tell of releases.
const objectRelease = "release"

// openRelease refuses to go on from the records of a newer release (FPT-06).
func (m *Module) openRelease(ctx context.Context) error {
	return m.view(ctx, func(tx *Tx) error {
		last, err := tx.Audit.LastOf(objectRelease)
		if err != nil || last < 0 {
			return err
		}
		page, err := tx.Audit.Page(last, 1)
		if err != nil {
			return err
		}
		var d struct {
			Release int    `json:"release"`
			Version string `json:"version"`
		}
		if len(page) != 1 || page[0].Seq != last {
			return fmt.Errorf("%w: audit record %d is missing", ErrOpen, last)
		}
		if err := json.Unmarshal([]byte(page[0].Data), &d); err != nil {
			return fmt.Errorf("%w: audit record %d: %w", ErrOpen, last, err)
		}
		if d.Release > m.cfg.Release {
			return fmt.Errorf("%w: these records are of release %d (%s), this program is release %d (%s), which is older: start the newer one; "+
				"if the older one is wanted, two officers decide it there (decision %s)", ErrOpen, d.Release, clip(d.Version, 64), m.cfg.Release, m.cfg.Version, DecideDowngrade)
		}
		return nil
	})
}

// programDigest is the SHA-256 of the program file, in hexadecimal.
func (m *Module) programDigest() (string, error) {
	f, err := os.Open(m.cfg.Program)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxProgram)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// releaseData is what a start puts on record about itself (FPT-06).
func (m *Module) releaseData(d audit.Data) audit.Data {
	program, err := m.programDigest()
	if err != nil {
		m.logger.Warn("samd: the program file cannot be read", "err", err)
		program = "unknown"
	}
	d["obj"], d["release"], d["program"] = objectRelease, m.cfg.Release, program
	return d
}

func (w *work) downgradeWanted(args []byte) (Downgrade, error) {
	in, err := decodeArgs[Downgrade](args)
	if err != nil {
		return in, err
	}
	if in.Release < 1 || in.Release >= w.m.cfg.Release {
		return in, fmt.Errorf("%w: release %d runs; say which older one may start", sap.ReasonInvalid, w.m.cfg.Release)
	}
	if in.Why == "" || len(in.Why) > 200 || !sap.Displayable(in.Why) {
		return in, fmt.Errorf("%w: say why, in at most 200 octets", sap.ReasonInvalid)
	}
	return in, nil
}

func checkDowngrade(w *work, args []byte) error {
	_, err := w.downgradeWanted(args)
	return err
}

func applyDowngrade(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	in, err := w.downgradeWanted(args)
	if err != nil {
		return nil, err
	}
	_, err = w.log(EventDowngrade, audit.OK, "", audit.Data{"obj": objectRelease, "release": in.Release, "version": w.m.cfg.Version, "why": in.Why})
	return nil, err
}
