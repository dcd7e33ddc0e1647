package portal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/relay"
)

// render shows a page. It is written to memory first, so that an error never
// leaves half a page.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name, title string, body any) {
	_, data, ok := p.session(r)
	v := page{Title: title, Service: p.cfg.Name, Contact: p.cfg.Contact, Demo: p.cfg.Demo, LoggedIn: ok, Person: data.Name, Upload: p.cfg.UploadWorker != "", Body: body, Passkeys: p.cfg.SigningOrigin + "/passkeys"}
	var buf bytes.Buffer
	if err := p.pages[name].ExecuteTemplate(&buf, "layout", v); err != nil {
		p.cfg.Log.Error("page could not be rendered", "page", name, "error", err)
		http.Error(w, "The page could not be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

type signerHandler func(w http.ResponseWriter, r *http.Request, s signapp.Session)

// signerOnly sends whoever is not logged in to the login page and back.
func (p *Portal) signerOnly(f signerHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := p.Session(r)
		if !ok {
			next := "/"
			if r.Method == http.MethodGet {
				next = r.URL.RequestURI()
			}
			http.Redirect(w, r, p.LoginURL(next), http.StatusSeeOther)
			return
		}
		f(w, r, s)
	}
}

func (p *Portal) home(w http.ResponseWriter, r *http.Request) {
	s, ok := p.Session(r)
	if !ok {
		p.render(w, r, http.StatusOK, "landing", "Welcome", nil)
		return
	}
	p.list(w, r, s, "list", "Your requests", 30)
}

func (p *Portal) history(w http.ResponseWriter, r *http.Request, s signapp.Session) {
	p.list(w, r, s, "history", "History", 500)
}

func (p *Portal) list(w http.ResponseWriter, r *http.Request, s signapp.Session, name, title string, limit int) {
	ops, err := p.cfg.Service.SignerOperations(r.Context(), s.Signer, limit)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v := listView{}
	for _, op := range ops {
		o := p.operationView(op)
		if o.Waiting {
			v.Waiting = append(v.Waiting, o)
		} else {
			v.Done = append(v.Done, o)
		}
	}
	p.render(w, r, http.StatusOK, name, title, v)
}

func (p *Portal) operation(w http.ResponseWriter, r *http.Request, s signapp.Session) {
	op, err := p.cfg.Service.SignerOperation(r.Context(), s.Signer, chi.URLParam(r, "id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "operation", "Request", p.operationView(op))
}

func (p *Portal) openOperation(w http.ResponseWriter, r *http.Request, _ signapp.Session) {
	to, err := p.ApprovalTicketURL(r.Context(), r, chi.URLParam(r, "id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// approve leads from an approval link to the signing origin. The link is used
// up only by its own signer, logged in; a browser's prefetch uses nothing.
func (p *Portal) approve(w http.ResponseWriter, r *http.Request) {
	s, ok := p.Session(r)
	if !ok {
		http.Redirect(w, r, p.LoginURL(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch") {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	op, err := p.cfg.Service.UseLink(r.Context(), s, chi.URLParam(r, "token"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	to, err := p.ApprovalTicketURL(r.Context(), r, op)
	if errors.Is(err, signapp.ErrState) {
		to = "/operations/" + op // it ended meanwhile: show how
	} else if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (p *Portal) joinPage(w http.ResponseWriter, r *http.Request) {
	_, name, err := p.invitation(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "join", "Join", joinView{Name: name, Path: "/join/" + chi.URLParam(r, "token")})
}

func (p *Portal) loginPage(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, ok := p.Session(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.render(w, r, http.StatusOK, "login", "Log in", loginView{Next: next, Finish: "/login/finish?next=" + url.QueryEscape(next)})
}

func (p *Portal) uploadPage(w http.ResponseWriter, r *http.Request, _ signapp.Session) {
	if p.cfg.UploadWorker == "" {
		p.fail(w, r, signapp.ErrNotFound)
		return
	}
	p.render(w, r, http.StatusOK, "upload", "Sign your own document", uploadView{MaxMiB: p.cfg.MaxDocument >> 20})
}

// upload takes a document of the signer and asks the signer for a signature:
// an operation like any other, with the signer as its client.
func (p *Portal) upload(w http.ResponseWriter, r *http.Request, s signapp.Session) {
	if p.cfg.UploadWorker == "" {
		p.fail(w, r, signapp.ErrNotFound)
		return
	}
	to, err := p.takeUpload(w, r, s)
	if err != nil {
		status, words := explain(err)
		if status >= 500 {
			p.cfg.Log.Error("upload failed", "error", err)
		}
		p.render(w, r, status, "upload", "Sign your own document", uploadView{MaxMiB: p.cfg.MaxDocument >> 20, Problem: words})
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (p *Portal) takeUpload(w http.ResponseWriter, r *http.Request, s signapp.Session) (string, error) {
	_, data, _ := p.session(r)
	r.Body = http.MaxBytesReader(w, r.Body, p.cfg.MaxDocument+64<<10)
	parts, err := r.MultipartReader()
	if err != nil {
		return "", fmt.Errorf("%w: no form", signapp.ErrInput)
	}
	client := signapp.Client{ID: signapp.SignerPrefix + s.Signer, Name: data.Name + " (own upload)"}
	var doc *signapp.Document
	purpose := ""
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n > 4 {
			return "", bodyError(err)
		}
		switch part.FormName() {
		case "purpose":
			purpose, err = readField(part)
		case "document":
			if doc != nil {
				return "", fmt.Errorf("%w: one document at a time", signapp.ErrInput)
			}
			doc, err = p.cfg.Service.Upload(r.Context(), client, part.FileName(), part)
		}
		if err != nil {
			return "", bodyError(err)
		}
	}
	if doc == nil {
		return "", errNoFile
	}
	if purpose == "" {
		purpose = "My own document"
	}
	op, err := p.cfg.Service.Create(r.Context(), client, signapp.NewOperation{Signer: s.Signer, Purpose: purpose,
		Items: []signapp.NewItem{{Document: doc.ID, Worker: p.cfg.UploadWorker}}, ReturnURL: p.cfg.AppOrigin + "/history"})
	if err != nil {
		return "", err
	}
	return p.ApprovalTicketURL(r.Context(), r, op.ID)
}

var errNoFile = errors.New("portal: no file was chosen")

func bodyError(err error) error {
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return fmt.Errorf("%w: %w", signapp.ErrTooLarge, err)
	}
	if err == nil {
		return fmt.Errorf("%w: too many fields", signapp.ErrInput)
	}
	return err
}

func readField(part *multipart.Part) (string, error) {
	b, err := io.ReadAll(io.LimitReader(part, 2048))
	return strings.TrimSpace(string(b)), err
}

func (p *Portal) download(w http.ResponseWriter, r *http.Request, s signapp.Session) {
	i, err := strconv.Atoi(chi.URLParam(r, "i"))
	if err != nil {
		p.fail(w, r, signapp.ErrNotFound)
		return
	}
	f, it, err := p.cfg.Service.SignerResult(r.Context(), s.Signer, chi.URLParam(r, "id"), i)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	defer func() { _ = f.Close() }()
	relay.Attach(w, it)
	http.ServeContent(w, r, "", time.Time{}, f)
}

func (p *Portal) receipt(w http.ResponseWriter, r *http.Request, s signapp.Session) {
	id := chi.URLParam(r, "id")
	body, err := p.cfg.Service.SignerReceipt(r.Context(), s.Signer, id)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "receipt-" + id + ".json"}))
	_, _ = w.Write(body)
}

// asset serves the style sheet and the script.
func (p *Portal) asset(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "name")
	body, err := fs.ReadFile(assetFiles, "assets/"+name)
	if err != nil {
		p.fail(w, r, signapp.ErrNotFound)
		return
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
	w.Header().Set("Content-Type", types[name[strings.LastIndexByte(name, '.'):]])
	_, _ = w.Write(body)
}

func replyJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
