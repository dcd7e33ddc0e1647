package workers

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// Properties under the names and with the values that operators know from SignServer are ours; what nobody knows stays
// what it is, to be refused by name; and what is said twice is refused.
func TestPropertyNamesOfSignServer(t *testing.T) {
	got, err := ourNames(map[string]string{
		"REASON": "Approved", "CONTACT_INFO": "it@example.org", "SIGNER_NAME": "A. Ж.", "CERTIFICATION_LEVEL": "FORM_FILLING", "TSA_WORKER": "TimeStamps", "ADD_VISIBLE_SIGNATURE": "True",
		"SIGNATURE_PACKAGING": "INTERNALLY-DETACHED", "COMMITMENT_TYPES": "NONE", "XADESFORM": "T", "visible_signature_page": "Last", "WHATEVER": "x",
	})
	want := map[string]string{"reason": "Approved", "contact": "it@example.org", "name": "A. Ж.", "certification_level": "form_filling_allowed", "tsa": "worker:TimeStamps", "add_visible_signature": "true",
		"signature_packaging": "INTERNALLY_DETACHED", "commitment_types": "", "level": "B-T", "visible_signature_page": "Last", "whatever": "x"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, twice := range []map[string]string{{"reason": "a", "REASON": "a"}, {"tsa": "worker:a", "TSA_URL": "http://a.example"}, {"TSA_WORKER": "a", "TSA_URL": "http://a.example"}, {"level": "B-B", "XADESFORM": "BES"}} {
		if _, err := ourNames(twice); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "leave one out") {
			t.Errorf("%v: %v", twice, err)
		}
	}
	same := map[string]string{"level": "B-LTA", "tsa": "worker:a http://b.example", "certification_level": "no_changes_allowed", "parallel": "true"}
	if got, err := ourNames(same); err != nil || !maps.Equal(got, same) {
		t.Errorf("%v, %v", got, err)
	}
}
