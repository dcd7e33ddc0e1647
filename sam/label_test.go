package sam

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/sap"
)

// OPS-04: the label is a function of what the token is, whether it is the
// certified one, and what the certificate says: the whole table.
func TestOPS04LabelIsComputed(t *testing.T) {
	for f, want := range map[facts]string{
		{true, false, false}:  sap.AssuranceDevelopment,
		{true, false, true}:   sap.AssuranceDevelopment,
		{true, true, false}:   sap.AssuranceDevelopment,
		{true, true, true}:    sap.AssuranceDevelopment,
		{false, false, false}: sap.AssuranceSCAL2,
		{false, false, true}:  sap.AssuranceSCAL2,
		{false, true, false}:  sap.AssuranceSCAL2,
		{false, true, true}:   sap.AssuranceQualified,
	} {
		if got := f.label(); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
}

// KEY-02: manufacturer, model and firmware are compared to the letter, and a
// module without a configured certificate covers nothing.
func TestKEY02IdentityToTheLetter(t *testing.T) {
	c := &CertifiedToken{Manufacturer: "Example HSM Inc", Model: "M7", Firmware: []string{"4.2", "4.3"}, Reference: "X-1"}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[cryptotoken.Identity]bool{
		{Manufacturer: "Example HSM Inc", Model: "M7", Serial: "1", Firmware: "4.2"}: true,
		{Manufacturer: "Example HSM Inc", Model: "M7", Serial: "2", Firmware: "4.3"}: true,
		{Manufacturer: "Example HSM Inc", Model: "M7", Firmware: "4.20"}:             false,
		{Manufacturer: "Example HSM Inc", Model: "M7", Firmware: "4.1"}:              false,
		{Manufacturer: "Example HSM Inc", Model: "m7", Firmware: "4.2"}:              false,
		{Manufacturer: "Example HSM", Model: "M7", Firmware: "4.2"}:                  false,
		{}: false,
	} {
		if got := c.covers(id); got != want {
			t.Errorf("%+v: %v", id, got)
		}
		if (*CertifiedToken)(nil).covers(id) {
			t.Errorf("nothing is certified, yet %+v is", id)
		}
	}
	for _, bad := range []CertifiedToken{{}, {Manufacturer: "a", Model: "b", Reference: "r"}, {Manufacturer: "a", Model: "b", Firmware: []string{""}, Reference: "r"},
		{Manufacturer: "a", Firmware: []string{"1"}, Reference: "r"}, {Manufacturer: "a", Model: "b", Firmware: []string{"1"}}} {
		if err := bad.check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
