package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/config"
)

// check says all that is wrong with the file that c was read from.
func (c *Config) check(path string) error {
	if err := c.faults().Err(errConfig); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// faults are those that show without opening anything.
func (c *Config) faults() config.Faults {
	f := c.missing()
	for _, check := range []func() config.Faults{c.profileFaults, c.limitFaults, c.useFaults, c.clientFaults, c.tokenFaults} {
		f = append(f, check()...)
	}
	for _, s := range c.Proxies {
		_, notIP := netip.ParseAddr(s)
		_, notNet := netip.ParsePrefix(s)
		f.AddIf(notIP != nil && notNet != nil, "proxies: %q is no address or network", s)
	}
	return f
}

func (c *Config) missing() (f config.Faults) {
	for _, m := range []struct{ key, value string }{
		{"app_origin", c.AppOrigin}, {"signing_origin", c.SigningOrigin}, {"data", c.Data}, {"admin.token_file", c.Admin.Token}, {"sam.url", c.SAM.URL},
		{"sam.tls.cert", c.SAM.TLS.Cert}, {"sam.tls.key", c.SAM.TLS.Key}, {"sam.tls.ca", c.SAM.TLS.CA},
	} {
		f.AddIf(m.value == "", "%s is missing", m.key)
	}
	return f
}

func (c *Config) profileFaults() (f config.Faults) {
	production := c.Profile == profileProduction
	f.AddIf(!production && c.Profile != profileDemo && c.Profile != profileDevelopment, "profile %q is not demo, development or production", c.Profile)
	f.AddIf(c.Log != "text" && c.Log != "json", "log %q is not text or json", c.Log)
	f.AddIf((c.TLS.Cert == "") != (c.TLS.Key == ""), "tls needs cert and key")
	f.AddIf(!loopback(c.Admin.Listen), "admin.listen %s is not a loopback address", c.Admin.Listen)
	f.AddIf(c.Profile == profileDemo && !loopback(c.Listen), "profile demo listens on loopback only, not on %s", c.Listen)
	for _, o := range []struct{ key, origin string }{{"app_origin", c.AppOrigin}, {"signing_origin", c.SigningOrigin}} {
		f.AddIf(production && o.origin != "" && !isHTTPS(o.origin), "profile production needs https origins: %s is %s", o.key, o.origin)
	}
	f.AddIf(c.TLS.Cert == "" && isHTTPS(c.AppOrigin) && !loopback(c.Listen), "without tls.cert, listen must be loopback, behind a front that ends TLS on this host; it is %s", c.Listen)
	return f
}

// limitFaults: zero is the default of each; what is negative would refuse every
// document, expire every request at once or delete results before anybody fetched them.
func (c *Config) limitFaults() (f config.Faults) {
	for _, s := range []struct {
		key    string
		values any
	}{{"limits", c.Limits}, {"retention", c.Retention}} {
		v := reflect.ValueOf(s.values)
		for i := range v.NumField() {
			f.AddIf(v.Field(i).CanInt() && v.Field(i).Int() < 0, "%s.%s is negative", s.key, v.Type().Field(i).Tag.Get("yaml"))
		}
	}
	for _, l := range []struct {
		key  string
		life time.Duration
	}{{"sam.wait", c.SAM.Wait}, {"session_life", c.SessionLife}, {"invite_life", c.InviteLife}} {
		f.AddIf(l.life < 0, "%s is negative", l.key)
	}
	return f
}

// useFaults: workers of other kinds than they are named for. What an XAdES worker
// makes is looked at when it is open.
func (c *Config) useFaults() (f config.Faults) {
	kinds := map[string]string{}
	for _, w := range c.Workers {
		kinds[w.Name] = w.Kind
	}
	x := c.Uses.SignDocXAdES
	for _, u := range []struct{ use, name, kind string }{
		{"upload", c.Uses.Upload, ""}, {"signdoc", c.Uses.SignDoc, "pades"}, {"tsa", c.Uses.TSA, "tsa"},
		{"signdoc_xades.enveloped", x.Enveloped, "xades"}, {"signdoc_xades.enveloping", x.Enveloping, "xades"},
		{"signdoc_xades.detached", x.Detached, "xades"}, {"signdoc_xades.internally_detached", x.Beside, "xades"},
	} {
		kind, ok := kinds[u.name]
		if u.name == "" || ok && (u.kind == "" || u.kind == kind) {
			continue
		}
		f.AddIf(!ok, "uses.%s: there is no worker %q", u.use, u.name)
		f.AddIf(ok, "uses.%s: worker %q is of kind %s, not %s", u.use, u.name, kind, u.kind)
	}
	return f
}

// clientFaults: a worker that does not exist would be refused to its client only
// when it is asked for.
func (c *Config) clientFaults() (f config.Faults) {
	known := map[string]bool{oauth.Any: true, oauth.WorkerRaw: true}
	for _, w := range c.Workers {
		known[w.Name] = true
	}
	for _, client := range c.Clients {
		for _, w := range client.Workers {
			f.AddIf(!known[w], "client %q: there is no worker %q (\"*\" is all)", client.ID, w)
		}
	}
	return f
}

// tokenFaults: the name of the signers' token is the module's alone, so that no own
// key stands where a signer's approval is needed (SAP-12).
func (c *Config) tokenFaults() (f config.Faults) {
	seen := map[string]bool{signersToken: true}
	production := c.Profile == profileProduction
	for _, t := range c.Tokens {
		f.AddIf(t.Name == "" || seen[t.Name], "token name %q is missing, used twice, or reserved (%s)", t.Name, signersToken)
		f.AddIf(t.Driver != "softtoken" && t.Driver != "pkcs11", "token %s: driver %q is not softtoken or pkcs11", t.Name, t.Driver)
		f.AddIf(t.Driver == "softtoken" && production, "token %s: profile production refuses softtoken", t.Name)
		f.AddIf(t.Development && production, "token %s: profile production refuses development", t.Name)
		f.AddIf(t.PINFile == "", "token %s: pin_file is missing", t.Name)
		seen[t.Name] = true
	}
	return f
}
