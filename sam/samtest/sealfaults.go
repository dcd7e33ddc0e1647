package samtest

import "github.com/assent-sign/assent/sam"

type sealsFaults struct {
	sam.SealTable
	f *Faults
}

func (t sealsFaults) After(kind string, last sam.Record, limit int) ([]sam.Record, error) {
	return get(t.f, "Seals.After", func() ([]sam.Record, error) { return t.SealTable.After(kind, last, limit) })
}

func (t sealsFaults) Reseal(r sam.Record, was []byte) error {
	return put(t.f, "Seals.Reseal", func() error { return t.SealTable.Reseal(r, was) })
}
