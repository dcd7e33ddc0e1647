package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/assent-sign/assent/signapp"
)

// ceremonyLife bounds a WebAuthn ceremony.
const ceremonyLife = 5 * time.Minute

type inviteData struct {
	Name string `json:"name"`
}

type sessionData struct {
	Name string `json:"name"`
}

func encode(v any) ([]byte, error) { return json.Marshal(v) }

// cookieName has the __Host- prefix when the origin is https: then no
// subdomain and no plain-text page can set it.
func (p *Portal) cookieName(base string) string {
	if p.secure {
		return "__Host-" + base
	}
	return base
}

const (
	sessionCookie  = "assent_session"
	ceremonyCookie = "assent_ceremony"
)

func (p *Portal) setCookie(w http.ResponseWriter, base, value string, life time.Duration) {
	c := &http.Cookie{Name: p.cookieName(base), Value: value, Path: "/", HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode, MaxAge: int(life / time.Second)}
	if life <= 0 {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, c)
}

// cookie returns a cookie's value. Two of the same name mean that somebody
// tossed one in; then neither counts.
func (p *Portal) cookie(r *http.Request, base string) (string, bool) {
	found := r.CookiesNamed(p.cookieName(base))
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// Session tells which login a request belongs to.
func (p *Portal) Session(r *http.Request) (signapp.Session, bool) {
	s, _, ok := p.session(r)
	return s, ok
}

func (p *Portal) session(r *http.Request) (signapp.Session, sessionData, bool) {
	value, ok := p.cookie(r, sessionCookie)
	if !ok {
		return signapp.Session{}, sessionData{}, false
	}
	hash := signapp.HashSecret(value)
	var row *signapp.SecretRow
	err := p.cfg.Store.View(r.Context(), func(tx signapp.Tx) (err error) {
		row, err = tx.Secrets().Get(signapp.SecretSession, hash)
		return err
	})
	if err != nil || row.Expires <= p.now().UnixMilli() {
		return signapp.Session{}, sessionData{}, false
	}
	var data sessionData
	if err := json.Unmarshal(row.Data, &data); err != nil {
		return signapp.Session{}, sessionData{}, false
	}
	return signapp.Session{Signer: row.Signer, ID: hash}, data, true
}

// logIn puts a new session into the transaction, never an old one with more
// rights: a value that somebody planted before the login stays worthless. The
// browser's former session ends, with its tickets and tokens.
func (p *Portal) logIn(tx signapp.Tx, r *http.Request, signer, name string) (value string, err error) {
	if old, ok := p.cookie(r, sessionCookie); ok {
		if err := tx.Secrets().Drop(signapp.SecretMatch{Session: signapp.HashSecret(old)}); err != nil {
			return "", err
		}
	}
	value, hash := signapp.NewSecret()
	data, err := encode(sessionData{Name: name})
	if err != nil {
		return "", err
	}
	return value, tx.Secrets().Put(signapp.SecretRow{Kind: signapp.SecretSession, Hash: hash, Signer: signer, Session: hash,
		Expires: p.now().Add(p.cfg.SessionLife).UnixMilli(), Data: data})
}

func (p *Portal) logout(w http.ResponseWriter, r *http.Request) {
	if value, ok := p.cookie(r, sessionCookie); ok {
		err := p.cfg.Store.Update(r.Context(), func(tx signapp.Tx) error {
			return tx.Secrets().Drop(signapp.SecretMatch{Session: signapp.HashSecret(value)})
		})
		if err != nil {
			p.fail(w, r, err)
			return
		}
	}
	p.setCookie(w, sessionCookie, "", 0)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// saveCeremony keeps a ceremony's secrets here and its name in a cookie of the
// browser that began it: another browser cannot finish it.
func (p *Portal) saveCeremony(ctx context.Context, w http.ResponseWriter, c ceremony) error {
	value, hash := signapp.NewSecret()
	data, err := encode(c)
	if err != nil {
		return err
	}
	err = p.cfg.Store.Update(ctx, func(tx signapp.Tx) error {
		return tx.Secrets().Put(signapp.SecretRow{Kind: signapp.SecretChallenge, Hash: hash, Expires: p.now().Add(ceremonyLife).UnixMilli(), Data: data})
	})
	if err != nil {
		return err
	}
	p.setCookie(w, ceremonyCookie, value, ceremonyLife)
	return nil
}

// takeCeremony finds the browser's ceremony and ends it: a challenge is
// answered once, rightly or wrongly.
func (p *Portal) takeCeremony(r *http.Request, w http.ResponseWriter, invite []byte) (*ceremony, error) {
	value, ok := p.cookie(r, ceremonyCookie)
	if !ok {
		return nil, errCeremony
	}
	p.setCookie(w, ceremonyCookie, "", 0)
	var row *signapp.SecretRow
	err := p.cfg.Store.Update(r.Context(), func(tx signapp.Tx) (err error) {
		row, err = tx.Secrets().Take(signapp.SecretChallenge, signapp.HashSecret(value))
		return err
	})
	if err != nil {
		return nil, errCeremony
	}
	var c ceremony
	if err := json.Unmarshal(row.Data, &c); err != nil {
		return nil, err
	}
	if row.Expires <= p.now().UnixMilli() || !bytes.Equal(c.Invite, invite) {
		return nil, errCeremony
	}
	return &c, nil
}
