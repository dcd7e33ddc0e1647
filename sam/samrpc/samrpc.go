// Package samrpc puts a sam.Module behind HTTP/1.1 and JSON over mutual TLS 1.3.
// It adds no decision of its own: identity and role come from the verified
// client certificate, every route names its one operation, and the module
// checks the role again. Answers to refusals are opaque (AFL-03): a code and the
// number of the audit record.
package samrpc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap/sapclient"
)

// Body limits, in bytes.
const (
	small  = 16 << 10
	medium = 256 << 10
	// A SAD of the largest size in base64, and the proof.
	large = jcs.MaxSize*4/3 + medium
)

// Route is one line of the wiring table.
type Route struct {
	Method, Path string
	Op           sam.Op
	Limit        int64
	serve        func(*Server, *request) (any, error)
}

// Routes is the whole surface of samd; nothing else is served.
func Routes() []Route {
	return []Route{
		{"GET", sapclient.PathInfo, sam.OpInfo, 0, info},
		{"GET", sapclient.PathHealth, sam.OpHealth, 0, health},
		{"GET", sapclient.PathStatus, sam.OpStatus, 0, status},
		{"POST", sapclient.PathRequest, sam.OpRequest, small, activationRequest},
		{"POST", sapclient.PathRedeem, sam.OpRedeem, large, redeem},
		{"GET", sapclient.PathCredentials, sam.OpCredentials, 0, credentials},
		{"POST", sapclient.PathCredentials, sam.OpGenerate, small, generate},
		{"POST", sapclient.PathCertificate, sam.OpLink, medium, certificate},
		{"POST", sapclient.PathPermission, sam.OpPermission, small, permission},
		{"POST", sapclient.PathKeyStatus, sam.OpKeyStatus, small, keyStatus},
		{"POST", sapclient.PathOnceRequest, sam.OpOnceRequest, small, onceRequest},
		{"POST", sapclient.PathOnceApprove, sam.OpOnceApprove, medium, onceApprove},
		{"POST", sapclient.PathOnceEnd, sam.OpOnceEnd, small, onceEnd},
		{"POST", sapclient.PathEnrolBegin, sam.OpEnrolBegin, small, enrolBegin},
		{"POST", sapclient.PathEnrolFinish, sam.OpEnrolFinish, medium, enrolFinish},
		{"POST", sapclient.PathChangeBegin, sam.OpChangeBegin, small, changeBegin},
		{"POST", sapclient.PathChangeFinish, sam.OpChangeFinish, medium, changeFinish},
		{"POST", sapclient.PathAuthList, sam.OpAuthList, small, authList},
		{"POST", sapclient.PathAuthRevoke, sam.OpAuthRevoke, small, authRevoke},
		{"POST", sapclient.PathHalf, sam.OpHalf, small, half},
		{"GET", sapclient.PathSigners, sam.OpSigner, 0, signer},
		{"POST", sapclient.PathSigners, sam.OpSignerNew, small, signerCreate},
		{"POST", sapclient.PathEnrolCode, sam.OpEnrolOpen, small, enrolCode},
		{"POST", sapclient.PathLift, sam.OpLift, small, lift},
		{"GET", sapclient.PathAudit, sam.OpAudit, 0, auditPage},
		{"GET", sapclient.PathExplain, sam.OpExplain, 0, explain},
		{"POST", sapclient.PathDecisions, sam.OpPropose, medium, propose},
		{"POST", sapclient.PathApprove, sam.OpApprove, small, approve},
		{"POST", sapclient.PathWithdraw, sam.OpWithdraw, small, withdraw},
		{"GET", sapclient.PathDecisions, sam.OpProposals, 0, proposals},
		{"GET", sapclient.PathRoles, sam.OpRoles, 0, roles},
		{"POST", sapclient.PathSelfTest, sam.OpSelfTest, small, selfTest},
		{"POST", sapclient.PathReopen, sam.OpReopen, small, reopen},
	}
}

// RefusalStep is the step of time in which samd's refusals leave.
const RefusalStep = 10 * time.Millisecond

// Server serves one module.
type Server struct {
	module *sam.Module
	log    *slog.Logger
	step   time.Duration
	bodies bodies
}

// New returns a server for a module.
func New(m *sam.Module, log *slog.Logger) *Server {
	return &Server{module: m, log: log}
}

// InSteps makes refusals leave in steps of time after the request came, and returns
// the server. What the module knows of a signer, key or authenticator, and whether it
// had it at hand or asked the database, is then not in the time of the answer
// (AFL-03). A success is not held back.
func (s *Server) InSteps(step time.Duration) *Server {
	s.step = step
	return s
}

// Handler returns the router.
func (s *Server) Handler() http.Handler {
	r := chi.NewRouter()
	for _, rt := range Routes() {
		r.Method(rt.Method, rt.Path, s.adapt(rt))
	}
	fail := func(code string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := sapclient.ErrorBody{Code: code, Retry: sapclient.RetryNever}
			var refusal *sam.Refusal
			if c, err := callerOf(r); err == nil && errors.As(s.module.Unreadable(r.Context(), c, ""), &refusal) && refusal.Ref >= 0 {
				body.Ref = fmt.Sprint(refusal.Ref)
			}
			writeError(w, status, body)
		}
	}
	r.NotFound(fail(sapclient.CodeNotFound, http.StatusNotFound))
	r.MethodNotAllowed(fail(sapclient.CodeInvalid, http.StatusMethodNotAllowed))
	return r
}

// HTTPServer returns the server with its time limits; the listener must be TLS.
func (s *Server) HTTPServer(conf *tls.Config) *http.Server {
	return &http.Server{
		Handler: s.Handler(), TLSConfig: conf,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 90 * time.Second,
		IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog:     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: one connection, one request
	}
}

// Serve serves until the server is shut down.
func (s *Server) Serve(srv *http.Server, l net.Listener) error {
	err := srv.ServeTLS(l, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func record(r audit.Record) sapclient.AuditRecord {
	return sapclient.AuditRecord(r)
}
