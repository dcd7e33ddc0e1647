// Package api is the front doors of the signing application: the native REST
// API, the CSC API v2, the authorization server, health and metrics.
//
//	endpoint                                  clause              file
//	/api/v1/*                                 openapi.yaml        native.go, upload.go
//	/csc/v2/info                              CSC 11.1            info.go
//	/csc/v2/credentials/{list,info}           CSC 11.4, 11.5      credentials.go
//	/csc/v2/signatures/signHash               CSC 11.10           signhash.go
//	/csc/v2/signatures/{signDoc,signPolling}  CSC 11.11, 11.12    signdoc.go
//	/oauth2/*, /csc/v2/oauth2/*               CSC 8.4, RFC 6749   oauth/
//	/livez, /readyz, /startupz, /metrics                          health.go, metrics.go
//
// Nothing here can use a signer's key: operations are asked for, a signer
// approves on the signing origin, and the results are handed out. routes.go is
// the one list of routes; handle.go the one adapter; errors.go the one table of
// errors, whose default is opaque.
package api
