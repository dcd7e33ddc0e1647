package sap

// Reason is a refusal, named precisely. It is an error: wrap it with what was
// found, ask for it with errors.Is. Reasons go to the audit record, to the
// operator and to "assent explain"; public callers see only that the request
// was refused (AFL-03).
type Reason string

// Error implements error.
func (r Reason) Error() string { return string(r) }

// The closed list of reasons. One string is one cause; they are stored in
// audit records, so they never change their meaning.
const (
	ReasonEncoding       Reason = "encoding_invalid"       // bytes are not in the one accepted form (SAP-07)
	ReasonType           Reason = "type_unknown"           // message type or version is not known here
	ReasonTooLarge       Reason = "too_large"              // over a stated bound
	ReasonSAMSignature   Reason = "sam_signature_invalid"  // a statement was not signed by this SAM
	ReasonAudience       Reason = "audience_mismatch"      // other cluster or epoch
	ReasonSession        Reason = "session_unknown"        // no such session here
	ReasonBinding        Reason = "binding_mismatch"       // bound fields are not those of the activation request (SAP-05)
	ReasonExpired        Reason = "expired"                // past exp by the SAM's clock (SAP-06)
	ReasonNotYet         Reason = "not_yet_valid"          // before iat by the SAM's clock
	ReasonConsumed       Reason = "sad_consumed"           // session or SAD used already (SAP-03)
	ReasonSigner         Reason = "signer_mismatch"        // key is not of this signer (IAM-05)
	ReasonSignerUnknown  Reason = "signer_unknown"         //
	ReasonKey            Reason = "key_unknown"            //
	ReasonKeyState       Reason = "key_not_active"         // no certificate linked, destroyed, suspended (KEY-07)
	ReasonCertificate    Reason = "certificate_mismatch"   // bound certificate is not the linked one
	ReasonCertValidity   Reason = "certificate_not_valid"  // outside its validity (SGN-02)
	ReasonAlgorithm      Reason = "algorithm_not_allowed"  // not in the set, or does not fit the key
	ReasonCount          Reason = "count_mismatch"         // n, indexes and items disagree (BLK-02)
	ReasonTooMany        Reason = "too_many_items"         // over the policy's batch size
	ReasonDuplicateItem  Reason = "duplicate_item"         // one digest twice (BLK-02)
	ReasonItemKind       Reason = "item_kind_unknown"      //
	ReasonDigest         Reason = "digest_invalid"         // digest does not fit its hash (SGN-01)
	ReasonDTBSR          Reason = "dtbsr_mismatch"         // rebuilt DTBS/R differs (SGN-04)
	ReasonEvidence       Reason = "evidence_invalid"       // evidence or properties do not fit the item's kind
	ReasonRaw            Reason = "raw_not_permitted"      // digest of unseen content without permission
	ReasonText           Reason = "text_not_displayable"   // control or direction characters in shown text
	ReasonPolicy         Reason = "policy_mismatch"        //
	ReasonTooLoose       Reason = "policy_too_loose"       // a qualified key is used under the policy "qualified" only (KEY-09)
	ReasonAssurance      Reason = "not_qualified"          // policy "qualified" with a token or certificate that is not (KEY-02, KEY-09)
	ReasonCarrier        Reason = "carrier_mismatch"       // key is bound to another activation mechanism (SAP-11)
	ReasonAuthenticator  Reason = "authenticator_unknown"  // not enrolled for this signer
	ReasonCeremony       Reason = "ceremony_type"          // clientData type is not webauthn.get
	ReasonChallenge      Reason = "challenge_mismatch"     // assertion was made for something else
	ReasonOrigin         Reason = "origin_not_allowed"     //
	ReasonCrossOrigin    Reason = "cross_origin"           // made inside a foreign page
	ReasonRPID           Reason = "rpid_mismatch"          //
	ReasonUserPresence   Reason = "user_not_present"       // UP=0
	ReasonUserVerified   Reason = "user_not_verified"      // UV=0 (SAP-02)
	ReasonAuthData       Reason = "authenticator_data"     // malformed, or extension data nobody asked for
	ReasonBackup         Reason = "backup_flags"           // BE changed since enrolment, or BS without BE
	ReasonCounter        Reason = "signature_counter"      // went back: a copy may exist
	ReasonSignature      Reason = "assertion_signature"    // carrier signature does not verify
	ReasonLocked         Reason = "locked_out"             // too many failures (AFL-01)
	ReasonRole           Reason = "role_not_allowed"       // caller's role may not do this (IAM-04)
	ReasonCaller         Reason = "caller_mismatch"        // SAD was requested by another caller (SAP-15)
	ReasonSeal           Reason = "record_seal_invalid"    // a protected column was changed outside the module (KEY-06)
	ReasonEnrolment      Reason = "enrolment_closed"       // no open enrolment, or code used or expired
	ReasonEnrolCode      Reason = "enrolment_code"         // proof of the one-time code does not verify
	ReasonAttestation    Reason = "attestation_invalid"    //
	ReasonModel          Reason = "authenticator_model"    // AAGUID denied, not allowed, or reported as compromised (ENR-03)
	ReasonTier           Reason = "authenticator_tier"     // authenticator showed less than the policy asks (ENR-03, SAP-02)
	ReasonCooling        Reason = "authenticator_cooling"  // added lately, not to be used yet (ENR-04)
	ReasonLast           Reason = "authenticator_last"     // the last that can approve is not removed by an approval (ENR-04)
	ReasonLive           Reason = "authenticator_live"     // recovery of a signer who still has an authenticator (ENR-06)
	ReasonProofing       Reason = "proofing_not_fresh"     // recovery without a new proofing record (ENR-06)
	ReasonName           Reason = "name_not_proofed"       // not the signer's name as it was proofed (ENR-02)
	ReasonState          Reason = "state_not_allowed"      // move not allowed from this state
	ReasonBurnt          Reason = "burnt"                  // outcome of the key use is unknown; a new approval is needed
	ReasonReleased       Reason = "released"               // the key use never began; a new approval is needed
	ReasonToken          Reason = "token_unavailable"      //
	ReasonSignatureCheck Reason = "signature_check_failed" // token returned a wrong signature; withheld (SGN-03)
	ReasonClosed         Reason = "module_closed"          // secure state after a failure (FPT-03)
	ReasonSelfTest       Reason = "self_test_failed"       //
	ReasonStore          Reason = "store_unavailable"      // a durable record could not be written (AUD-06)
	ReasonCSR            Reason = "csr_invalid"            //
	ReasonCertLink       Reason = "certificate_link"       // certificate is not for this key and signer (KEY-08)
	ReasonInvalid        Reason = "request_invalid"        // request misses something or is malformed
	ReasonExists         Reason = "exists_already"         //
	ReasonSecond         Reason = "second_officer_needed"  // proposer and approver are one person, or it needs two officers (ROL-04)
	ReasonNotSetUp       Reason = "ceremony_needed"        // nobody has a role yet (ROL-06)
	ReasonClock          Reason = "clock_in_doubt"         // the module's clock was moved, or a second source of time contradicts it or is silent (TIM-01)
	ReasonSuccession     Reason = "succession_invalid"     // statement key does not follow from the pinned one, or was out of use then (KPR-06)
	ReasonSeparation     Reason = "separation_of_duties"   // an identity or person would have two roles (ROL-02, ROL-03)
	ReasonResealing      Reason = "resealing_unfinished"   // records are still being sealed anew: again when that has ended (KPR-06, BKP-01)
	ReasonRewrapping     Reason = "rewrapping_unfinished"  // keys are left under an older wrapping key: finish that first (KPR-06, BKP-01)
	ReasonNoBackup       Reason = "backup_needed"          // nothing could be restored afterwards: make a backup first (KPR-06)
)
