package proof

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
)

// Compared is a file whose digest is the approved one.
type Compared struct {
	Name   string `json:"document_name"`
	Digest string `json:"digest"` // hexadecimal: in the file, approved, and signed
}

// VerifyFiles is Verify for the files that one detached signature is over. Each must be one of them, by its name and its bytes, and none
// may be there twice; Result.Missing are those that were not given. One file alone is compared by its bytes only, as by Verify.
func VerifyFiles(ctx context.Context, receipt []byte, files []validate.Detached, samKey *ecdsa.PublicKey, successions ...sap.SignedSuccession) (*Result, error) {
	if len(files) == 1 {
		return Verify(ctx, receipt, files[0], files[0].Size, samKey, successions...)
	}
	res, r, sad, _, err := alone(receipt, samKey, successions)
	if err != nil {
		return nil, err
	}
	why := fmt.Errorf("%w: the receipt is about no signature over several files; compare one file at a time", ErrFile)
	for i, it := range sad.Items {
		if it.XAdES == nil || it.XAdES.Form != sap.XAdESDetached || len(it.XAdES.Further()) == 0 || i >= len(r.Items) {
			continue
		}
		if why = res.matchFiles(r, it, i, files); why == nil {
			return res, ctx.Err()
		}
	}
	return nil, why
}

// matchFiles compares files with those of one item.
func (res *Result) matchFiles(r *sap.Receipt, it sap.Item, i int, files []validate.Detached) error {
	approved := filesOf(it)
	found := make([]string, len(approved)) // digests
	for _, f := range files {
		sum, err := digestOf(it, f, f.Size)
		if err != nil {
			return err
		}
		k := slices.IndexFunc(approved, func(o sap.XAdESObject) bool { return o.Name == f.Name })
		switch name, _, same := fileOf(it, sum); {
		case k < 0 && same:
			return fmt.Errorf("%w: %q was approved by the name %q", ErrFile, f.Name, name)
		case k < 0:
			return fmt.Errorf("%w: %q is none of the files that were approved", ErrFile, f.Name)
		case found[k] != "":
			return fmt.Errorf("%w: %q is there twice", ErrFile, f.Name)
		case approved[k].Doc != sap.B64(sum):
			return fmt.Errorf("%w: the digest of %q is %x, approved was another", ErrChanged, f.Name, sum)
		}
		found[k] = hex.EncodeToString(sum)
	}
	res.More, res.Missing = nil, nil
	var first []byte
	for k, o := range approved {
		switch sum, err := sap.UnB64(o.Doc); {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrForm, err)
		case found[k] == "":
			res.Missing = append(res.Missing, o.Name)
		case first == nil:
			first, res.Name = sum, o.Name
		default:
			res.More = append(res.More, Compared{o.Name, found[k]})
		}
	}
	return res.matched(r, it, i, res.Name, first)
}
