package samtest

import "github.com/assent-sign/assent/sam"

type sealsFaults struct {
	sam.SealTable
	f *Faults
}

func (t sealsFaults) After(kind string, last any, limit int) ([]sam.Walked, error) {
	return get(t.f, "Seals.After", func() ([]sam.Walked, error) { return t.SealTable.After(kind, last, limit) })
}

func (t sealsFaults) Reseal(r sam.Record, was []byte) error {
	return put(t.f, "Seals.Reseal", func() error { return t.SealTable.Reseal(r, was) })
}
