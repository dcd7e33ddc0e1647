package api

import (
	"net/http"

	"github.com/assent-sign/assent/api/oauth"
)

// Paths of this package.
const (
	pathDocuments   = "/api/v1/documents"
	pathValidations = "/api/v1/validations"
	pathOperations  = "/api/v1/operations"
	pathOperation   = "/api/v1/operations/{id}"
	pathCancel      = "/api/v1/operations/{id}/cancel"
	pathDocument    = "/api/v1/documents/{id}"
	pathResults     = "/api/v1/operations/{id}/documents"
	pathResult      = "/api/v1/operations/{id}/items/{i}/document"
	pathReceipt     = "/api/v1/operations/{id}/receipt"
	pathCredentials = "/api/v1/credentials"
	pathOpenAPI     = "/api/openapi.yaml"
	pathLogo        = "/api/logo.png"
	pathProblems    = "/api/problems/"
	pathCSC         = "/csc/v2"
	pathLive        = "/livez"
	pathReady       = "/readyz"
	pathStartup     = "/startupz"
)

// Bodies of JSON requests, in bytes.
const (
	limitNone  = 1 // GET has no body
	limitJSON  = 256 << 10
	limitOAuth = 128 << 10
	limitCSC   = 64 << 10
)

// routes is the one list. Tests generate the matrix of tokens and the
// comparison with openapi.yaml from it.
func (a *API) routes() []route {
	l := a.cfg.Limits
	return append([]route{
		{"POST", pathDocuments, accessService, styleNative, l.Document, a.upload},
		{"POST", pathValidations, accessService, styleNative, limitJSON, a.validate},
		{"POST", pathOperations, accessService, styleNative, limitJSON, a.createOperation},
		{"GET", pathOperation, accessService, styleNative, limitNone, a.getOperation},
		{"POST", pathCancel, accessService, styleNative, limitJSON, a.cancelOperation},
		{"GET", pathResult, accessService, styleNative, limitNone, a.getResult},
		{"GET", pathReceipt, accessService, styleNative, limitNone, a.getReceipt},
		{"DELETE", pathDocument, accessService, styleNative, limitNone, a.deleteDocument},
		{"DELETE", pathResults, accessService, styleNative, limitNone, a.deleteResults},
		{"GET", pathCredentials, accessService, styleNative, limitNone, a.getCredentials},
		{"GET", pathOpenAPI, accessPublic, styleNative, limitNone, serveOpenAPI},
		{"GET", pathLogo, accessPublic, styleNative, limitNone, serveLogo},
		{"GET", pathProblems + "{code}", accessPublic, styleNative, limitNone, serveProblem},

		{"GET", pathCSC + "/info", accessPublic, styleCSC, limitNone, a.getInfo},
		{"POST", pathCSC + "/info", accessPublic, styleCSC, limitCSC, handler(decodeMembers, http.StatusOK, a.info)},
		{"POST", pathCSC + "/credentials/list", accessService, styleCSC, limitCSC, handler(decodeMembers, http.StatusOK, a.credentialsList)},
		{"POST", pathCSC + "/credentials/info", accessService, styleCSC, limitCSC, handler(decodeMembers, http.StatusOK, a.credentialsInfo)},
		{"POST", pathCSC + "/signatures/signHash", accessSign, styleCSC, limitCSC, a.signHash},
		{"POST", pathCSC + "/signatures/signDoc", accessService, styleCSC, l.SignDoc, a.signDoc},
		{"POST", pathCSC + "/signatures/signPolling", accessService, styleCSC, limitCSC, a.signPolling},

		{"GET", pathLive, accessPublic, styleNative, limitNone, func(c *call) error { a.live(c.w, c.r); return nil }},
		{"GET", pathReady, accessPublic, styleNative, limitNone, func(c *call) error { a.readyz(c.w, c.r, false); return nil }},
		{"GET", pathStartup, accessPublic, styleNative, limitNone, func(c *call) error { a.startup(c.w, c.r); return nil }},
	}, a.oauthRoutes()...)
}

// oauthRoutes are served at the issuer and, for clients that find them by CSC's
// info.oauth2, below the CSC base.
func (a *API) oauthRoutes() []route {
	var out []route
	for _, prefix := range []string{"", pathCSC} {
		serve := func(path func(*http.Request) string, csc bool) func(*call) error {
			return func(c *call) error {
				r := c.r.Clone(c.r.Context())
				r.URL.Path, r.URL.RawPath = path(c.r), ""
				if csc && r.URL.Path == oauth.PathRevoke {
					a.oauth.ServeHTTP(&noContent{ResponseWriter: c.w}, r)
					return nil
				}
				a.oauth.ServeHTTP(c.w, r)
				return nil
			}
		}
		at := func(p string) func(*http.Request) string { return func(*http.Request) string { return p } }
		isCSC := prefix != ""
		out = append(out,
			route{"GET", prefix + oauth.PathAuthorize, accessPublic, styleCSC, limitNone, serve(at(oauth.PathAuthorize), isCSC)},
			route{"GET", prefix + oauth.PathAuthorize + "/{session}", accessPublic, styleCSC, limitNone,
				serve(func(r *http.Request) string { return oauth.PathAuthorize + "/" + param(r, "session") }, isCSC)},
			route{"POST", prefix + oauth.PathToken, accessPublic, styleCSC, limitOAuth, serve(at(oauth.PathToken), isCSC)},
			route{"POST", prefix + oauth.PathPushed, accessPublic, styleCSC, limitOAuth, serve(at(oauth.PathPushed), isCSC)},
			route{"POST", prefix + oauth.PathRevoke, accessPublic, styleCSC, limitOAuth, serve(at(oauth.PathRevoke), isCSC)},
		)
	}
	return append(out, route{"GET", oauth.PathMetadata, accessPublic, styleNative, limitNone,
		func(c *call) error { a.oauth.ServeMetadata(c.w, c.r); return nil }})
}

// noContent turns revoke's 200 (RFC 7009) into 204 (CSC 8.4.5).
type noContent struct{ http.ResponseWriter }

func (w *noContent) WriteHeader(status int) {
	if status == http.StatusOK {
		status = http.StatusNoContent
		w.Header().Del("Content-Type")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *noContent) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return w.ResponseWriter.Write(b)
}

// notServed are methods of the specification that exist but not here (501).
var notServed = map[string]bool{
	pathCSC + "/auth/login":                    true,
	pathCSC + "/auth/revoke":                   true,
	pathCSC + "/credentials/authorize":         true,
	pathCSC + "/credentials/authorizeCheck":    true,
	pathCSC + "/credentials/getChallenge":      true,
	pathCSC + "/credentials/extendTransaction": true,
	pathCSC + "/credentials/sendOTP":           true,
	pathCSC + "/credentials/create":            true,
	pathCSC + "/credentials/delete":            true,
	pathCSC + "/signatures/timestamp":          true,
}
