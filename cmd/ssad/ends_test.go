package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What ends is told to operators before it does: every certificate that ssad uses, the
// module's as it shows it, in the log, in the metrics and in the details of readiness.
func TestCertificatesThatEndAreTold(t *testing.T) {
	w := newWorld(t)
	w.start()
	defer func() { w.stop() }()
	get := func(url string) string {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	metrics := get("http://" + w.admin + "/metrics")
	for _, labels := range []string{`name="",use="sam_tls"`, `name="",use="samd_tls"`, `use="sam_ca"`, `name="tsa",use="worker"`} {
		if !strings.Contains(metrics, "ssad_certificate_end_seconds{"+labels) && !strings.Contains(metrics, labels+"}") {
			t.Errorf("no metric with %s", labels)
		}
	}
	var ready struct {
		Certificates []struct{ Use, Name, Do string }
	}
	if err := json.Unmarshal([]byte(get("http://"+w.admin+"/readyz")), &ready); err != nil {
		t.Fatal(err)
	}
	if c := ready.Certificates; len(c) != 4 || c[0].Do == "" {
		t.Errorf("%+v", ready)
	}
	if public := get(w.origin + "/readyz"); public != "ok\n" {
		t.Errorf("everybody is told %q", public)
	}
	// This world's certificates of ssad and samd last one day.
	for _, use := range []string{"sam_tls", "samd_tls"} {
		if want := `msg="a certificate ends within a day" use=` + use; strings.Count(w.log.String(), want) != 1 {
			t.Errorf("%q is not in the log once:\n%s", want, w.log)
		}
	}
	if strings.Contains(w.log.String(), "use=worker") {
		t.Errorf("a certificate with months left is in the log:\n%s", w.log)
	}
}
