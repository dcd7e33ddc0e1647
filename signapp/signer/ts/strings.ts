// Every sentence that a person reads, in one table (one table per language
// later). {name} is a place-holder; ".one" and ".other" are plural forms.

const en = {
  "ribbon.demo": "DEMO: software keys and self-made certificates. Signatures made here have no legal effect.",
  "common.try_again": "Try again",
  "common.continue": "Continue",
  "common.back": "Back",
  "common.reference": "Reference for support: {id}",
  "common.said": "The service says: “{said}”",

  "load.title": "Getting your documents",
  "load.session": "Opening the request…",
  "load.request": "Checking the request…",
  "load.document": "Fetching document {i} of {n}…",
  "load.check": "Checking document {i} of {n}…",

  "review.title.one": "Read, then decide: 1 document to sign",
  "review.title.other": "Read, then decide: {n} documents to sign",
  "review.raw.title.one": "Decide: 1 fingerprint to approve",
  "review.raw.title.other": "Decide: {n} fingerprints to approve",
  "review.mixed.title": "Decide: {n} signatures are asked for",
  "review.who": "Who asks",
  "review.why": "Why",
  "review.no_purpose": "No reason was given.",
  "review.files": "What you sign",
  "review.open": "Show {name}",
  "review.shown_now": "shown now",
  "review.pages.one": "1 page",
  "review.pages.other": "{n} pages",
  "review.pages.unknown": "pages not counted yet",
  "review.not_opened": "not opened yet",
  "review.cannot_show": "cannot be shown",
  "review.fingerprint": "Fingerprint",
  "review.raw": "You are approving a fingerprint of content that is not shown. Nobody here can tell you what it is. Approve it only if you know what the program that asks is signing.",
  "review.raw.short": "content not shown",
  "review.document": "Document: {name}",
  "review.document.heading": "The document",
  "review.document.note": "This picture is drawn from exactly the bytes whose fingerprint you approve. Fields cannot be filled in here.",
  "review.loading_document": "Drawing the document…",
  "review.warn.script": "This document contains program code. The code does not run here; another reader may show the document differently.",
  "review.warn.attachments": "Files are attached inside this document. They are signed with it, but not shown here.",
  "review.warn.layers": "This document has parts that are switched off and not visible here.",
  "review.warn.xfa": "This document has a second, program-like form inside that is not shown here.",
  "review.signature": "Your signature",
  "review.holder": "Certificate holder",
  "review.issuer": "Issued by",
  "review.validity": "Valid",
  "review.validity.range": "{from} to {to}",
  "review.validity.expired": "{from} to {to} (not valid now)",
  "review.level": "Kind",
  "review.level.B-B": "Basic signature (PAdES B-B)",
  "review.level.B-T": "Signature with a trusted time-stamp (PAdES B-T)",
  "review.level.B-LT": "Signature with time-stamp and validation data (PAdES B-LT)",
  "review.level.B-LTA": "Signature for long-term archiving (PAdES B-LTA)",
  "review.level.other": "Level {level}",
  "review.assurance": "Assurance",
  "review.assurance.development": "Development: software keys, no legal claim.",
  "review.assurance.SCAL2": "Only your own approval can use your key (sole control, SCAL2). The key device is not certified, so no claim of a qualified signature is made.",
  "review.assurance.SCAL2-QSCD": "Only your own approval can use your key (sole control, SCAL2), in a certified signature creation device.",
  "review.use": "This approval",
  "review.use.text.one": "1 signature, now, once",
  "review.use.text.other": "{n} signatures, now, once",
  "review.time.left": "You have until {time} to decide.",
  "review.time.soon": "Less than {n} seconds are left to decide. You can take more time.",
  "review.time.over": "The time to decide is over. Nothing was signed and nothing is lost; ask for more time to go on.",
  "review.time.more": "More time",
  "review.time.renewed": "You have more time now: until {time}.",
  "review.passkey": "Passkey",
  "review.passkey.n": "Signing passkey {i} (ends in {end})",
  "review.decide": "Your decision",
  "review.sign.one": "Sign 1 document as {name}",
  "review.sign.other": "Sign {n} documents as {name}",
  "review.sign.raw.one": "Approve 1 fingerprint as {name}",
  "review.sign.raw.other": "Approve {n} fingerprints as {name}",
  "review.sign.mixed": "Approve {n} signatures as {name}",
  "review.decline": "Do not sign",
  "review.unopened.one": "You have not opened 1 of the documents.",
  "review.unopened.other": "You have not opened {n} of the documents.",
  "review.wait.drawing": "The document is still being drawn; a moment please.",
  "review.blocked": "“{name}” cannot be shown here, so it cannot be signed here. You can still say no.",
  "review.no_viewer": "This installation has no document viewer, so documents cannot be signed in the browser here.",
  "review.passkey.wait": "Waiting for your passkey. Your device asks for your fingerprint, face or PIN.",
  "review.redeem.wait": "Approved. Signing…",
  "review.passkey.cancelled": "The passkey dialog was closed, or this device has no passkey for signing as {name}. Nothing was signed. You can try again or decide not to sign.",
  "review.passkey.unsupported": "This browser cannot use passkeys here. Open the link in another browser. Nothing was signed.",
  "review.passkey.other": "The passkey did not answer as it should ({detail}). Nothing was signed.",
  "review.redeem.network": "The connection was lost after you approved. Your approval is kept on this page; send it again. It can be used only once.",
  "review.redeem.again": "Send the approval again",

  "once.title": "A certificate for this one signature",
  "once.explain": "You have no certificate yet that signs this. Before you read and sign, a new key and a certificate are made for this one signature. They do not exist before you approve them here.",
  "once.holder": "Name in the certificate",
  "once.person": "Whose identity was checked",
  "once.ca": "Will be issued by",
  "once.policy": "Under the rules",
  "once.life": "The key",
  "once.life.text.one": "lives 1 minute, signs once and is then destroyed",
  "once.life.text.other": "lives {n} minutes, signs once and is then destroyed",
  "once.next": "This approval signs nothing. When the certificate is there you see the documents, and you approve the signature separately.",
  "once.approve": "Make the certificate for {name}",
  "once.making": "Approved. The key and its certificate are being made…",
  "once.cancelled": "The passkey dialog was closed, or this device has no passkey for signing. Nothing was made. You can try again or decide not to sign.",
  "once.refused": "The signing module refused. There is no key and nothing was signed.",
  "once.network": "The connection was lost after you approved. Your approval is kept on this page; send it again. It makes one key only.",
  "once.send_again": "Send the approval again",

  "decline.title": "Do not sign",
  "decline.reason": "Reason (optional; the sender will read it)",
  "decline.confirm": "Confirm: do not sign",
  "declined.title": "You did not sign",
  "declined.text": "Nothing was signed. {asker} is told that you declined.",

  "result.title.one": "Signed: 1 document",
  "result.title.other": "Signed: {n} documents",
  "result.raw.title": "Approved and signed",
  "result.text": "Signed as {name} on {time}, approved with your passkey.",
  "result.working": "Signed. The documents are being completed…",
  "result.three": "Shown, approved and signed are the same",
  "result.three.explain": "The bars and numbers are short fingerprints of what you were shown, what you approved and what was signed. They are computed on this device.",
  "result.shown": "Shown",
  "result.approved": "Approved",
  "result.signed": "Signed",
  "result.not_shown": "not shown",
  "result.download": "Download signed “{name}”",
  "result.receipt": "Download receipt",
  "result.receipt.explain": "The receipt proves what you approved. Keep it with the documents; it can be checked without this service.",
  "result.download.failed": "The file could not be fetched. Try again.",
  "result.download.bad": "The file that came is not the document that you approved. It was not saved. Keep the receipt and tell the service.",
  "result.download.ok": "“{name}” matches what you approved and was saved.",
  "result.failed": "You approved and the signature was made, but the documents could not be completed. Keep the receipt; the sender is informed.",
  "result.not_you": "If this was not you, tell your service provider at once and have the certificate suspended. Reference: {id}",
  "result.waiting_long": "Completing the documents takes longer than usual. You can close this page; they are completed anyway.",

  "stop.title": "This request is not what it claims; nothing was signed",
  "stop.text": "This page stopped before asking for your passkey. Tell the sender and your service provider; do not try again with another link to the same request before they have answered.",
  "stop.what": "What does not fit",
  "stop.request": "The request for activation was not made by the signing module, or was changed on the way.",
  "stop.binding": "The signing module's request is for something else: another person, key, certificate, number of signatures or place.",
  "stop.certificate": "The certificate is not the one that the signing module named.",
  "stop.view": "The description of the request is malformed or contains text that cannot be shown as it is.",
  "stop.kind": "A kind of signature is asked for that this page cannot check.",
  "stop.document": "“{name}”: the document was not delivered.",
  "stop.too_large": "“{name}”: the document is larger than announced or than this page accepts.",
  "stop.hole": "“{name}”: the place for the signature in the PDF is not as it must be; the document could be changed after signing.",
  "stop.attributes": "“{name}”: what is to be signed does not belong to the document that was delivered.",
  "stop.digest": "“{name}”: the fingerprint that was announced is not the document's.",
  "stop.receipt": "The receipt does not prove what you approved.",
  "stop.receipt.title": "The result does not match what you approved",
  "stop.receipt.text": "You approved, but the answer that came back is not a valid proof of it. Tell your service provider and keep this reference.",
  "stop.technical": "Technical detail: {detail}",

  "end.expired.title": "This request has expired",
  "end.expired.text": "Nothing was signed. Ask the sender for a new request.",
  "end.cancelled.title": "The sender withdrew this request",
  "end.cancelled.text": "Nothing was signed. There is nothing that you need to do.",
  "end.failed.title": "This request cannot be completed",
  "end.failed.text": "The sender is informed. If you approved before, ask the sender whether a new approval is needed.",
  "end.refused.text": "The signing module refused the approval. Nothing was signed with it. Ask the sender for a new request.",
  "end.signed.title": "You already answered this request",
  "end.signed.text": "It is finished or being completed. You find the documents where you signed in.",

  "error.title": "That did not work",
  "error.link": "This link is incomplete, was used already or is too old. Open the request again from the page where you signed in.",
  "error.network": "The service cannot be reached. Check your connection and try again; nothing was signed.",
  "error.refused": "The service refused the request. Nothing was signed.",
  "error.refused.approval": "The signing module refused this approval. Nothing was signed with it.",
  "error.later": "The service is busy or not available now. Try again in a moment; nothing was signed.",
  "error.config": "This page is not set up correctly (config). Tell your service provider.",
  "error.framed": "This page must not be shown inside another page.",

  "home.title": "Nothing to sign here",
  "home.text": "This page opens with the link of a signing request or of an enrolment. Start from the page where you sign in.",

  "keys.title": "Your signing passkeys",
  "keys.loading": "Asking the signing module…",
  "keys.none": "You have no signing passkey. If you have lost it, have your identity checked again.",
  "keys.row": "Passkey {id}, set up {when}.",
  "keys.state.usable": "It can approve signatures.",
  "keys.state.cooling": "It was added lately and can approve nothing before {when}.",
  "keys.state.locked": "It cannot be used at this moment.",
  "keys.add": "Add a passkey",
  "keys.remove": "Remove passkey {id}",
  "keys.veto": "Stop passkey {id}: it was not me, or I changed my mind",
  "keys.will.add": "A new passkey will be added. It can approve your signatures {hours} hours from now. You make it first, then you approve it with a passkey that you have.",
  "keys.will.remove": "Passkey {id} will be removed and can approve nothing any more. Approve it with a passkey that you have.",
  "keys.create": "Make the new passkey",
  "keys.made": "The new passkey is made. Now approve it with a passkey that you have.",
  "keys.approve": "Approve with a passkey that you have",
  "keys.done": "Done.",
  "keys.cancelled": "The dialog was closed. Nothing was changed.",
  "keys.refused": "The signing module refused. Nothing was changed.",
  "keys.not_genuine": "What came back was not made by the signing module. Nothing was changed. Tell your service provider.",
  "keys.login": "Log in at the application first, then open this page from there.",
  "keys.notices": "What was done to your passkeys",
  "keys.no_notices": "Nothing since they were set up.",
  "keys.hint": "This list comes from the signing module, signed for this very page: the application cannot change it or take a line out. If you do not recognise something, stop or remove the passkey and tell your service provider.",
  "keys.notice.authenticator_added": "Passkey {id} was added.",
  "keys.notice.authenticator_removed": "Passkey {id} was removed, with an approval of yours.",
  "keys.notice.authenticator_lost": "Passkey {id} was revoked by your service provider.",
  "keys.notice.proofing_decided": "After a new check of your identity you may set up a new passkey. Your old signing keys were destroyed.",
  "keys.notice.copy_suspected": "Passkey {id} was locked: there may be a copy of it.",
  "keys.notice.other": "{kind} ({id})",
  "keys.notice.until": "It can approve nothing before {when}.",

  "enrol.halves.text": "You got two halves of a code, each from another person. Enter both.",
  "enrol.halves.first": "First half",
  "enrol.halves.second": "Second half",
  "enrol.title": "Set up your signing passkey",
  "enrol.for": "For",
  "enrol.explain": "A signing passkey is the key to your signature. It stays on your device or in your password manager; the service never gets it. Each time you sign, your device asks for your fingerprint, face or PIN.",
  "enrol.explain2": "When you press the button, your device opens its own dialog. Afterwards this page confirms what was set up.",
  "enrol.separate": "It is separate from the passkey that you sign in with.",
  "enrol.button": "Create the signing passkey for {name}",
  "enrol.wait": "Waiting for your device…",
  "enrol.finishing": "Finishing…",
  "enrol.cancelled": "The dialog was closed and no passkey was made. You can try again.",
  "enrol.exists": "This device already holds a signing passkey for you. Use another device or remove the old passkey first.",
  "enrol.bad_link": "This enrolment link is incomplete or was used already. Ask for a new one where your identity was checked.",
  "enrol.expired": "This enrolment has expired. Ask for a new link where your identity was checked.",
  "enrol.not_genuine": "The offer to enrol was not made by the signing module. Nothing was set up. Tell your service provider.",
  "enrol.refused": "The signing module refused this enrolment. Nothing was set up. Ask for a new link where your identity was checked.",
  "enrol.network": "The connection was lost. Your new passkey is kept on this page; send it again.",
  "enrol.again": "Send again",
  "enrol.done.title": "Your signing passkey is set up",
  "enrol.done.text": "From now on only this passkey can approve signatures of {name}. If you lose it, have your identity checked again.",
  "enrol.done.close": "You can close this page.",
} as const;

/** Key names one sentence; plural forms are named without their ending. */
type Full = keyof typeof en;
export type Key = Full | (Full extends infer K ? (K extends `${infer P}.one` ? P : never) : never);

const plural = new Intl.PluralRules("en");

/** t returns a sentence with its place-holders filled. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const table: Record<string, string> = en;
  let s = table[key];
  if (s === undefined) s = table[`${key}.${plural.select(Number(values["n"]))}`] ?? table[`${key}.other`] ?? key;
  return s.replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}

/** has tells whether a sentence of that name exists, for words made from data. */
export function has(key: string): key is Full {
  return Object.hasOwn(en, key);
}

/** size in words. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}

/** day writes a date with its month in words, so that no order is mistaken. */
export function day(d: Date): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" }).format(d);
}

/** clock writes a time of day with its zone. */
export function clock(d: Date): string {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }).format(d);
}

/** moment writes date and time with zone. */
export function moment(d: Date): string {
  return `${day(d)}, ${clock(d)}`;
}
