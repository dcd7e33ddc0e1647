// The device side of the Signature Activation Protocol (sap/SAP.md), byte for
// byte as package sap has it; sap/testdata/vectors.json holds both together.

import { decode, decodeLen, type Bytes } from "./b64";
import { algorithms, digest, hashSize, isHash, labelled, message, verifyES256, type HashName } from "./crypto";
import { canonicalBytes, decodeBytes, maxSize } from "./jcs";
import { exact, type Of } from "./shape";
import { forms, texts, type XAdES } from "./xades";

/** Domain separation (sap/label.go). */
export const label = {
  activationRequest: "assent/activation-request/v1",
  challenge: "assent/sad-challenge/v1",
  oneTime: "assent/one-time-request/v1",
  oneTimeChallenge: "assent/one-time-challenge/v1",
  registration: "assent/registration-request/v1",
  regChallenge: "assent/registration-challenge/v1",
  enrolCode: "assent/enrolment-code/v1",
  enrolProof: "assent/enrolment-proof/v1",
  change: "assent/change-request/v1",
  authenticators: "assent/authenticator-list/v1",
  addChallenge: "assent/addition-challenge/v1",
  changeChallenge: "assent/change-challenge/v1",
  receiptLeaf: "assent/receipt-leaf/v1",
  receiptNode: "assent/receipt-node/v1",
  receiptRoot: "assent/receipt-root/v1",
  succession: "assent/key-succession/v1",
  successionProof: "assent/key-succession-proof/v1",
} as const;

export const maxItems = 1000;
export const maxText = 300;
export const nonceLen = 32;
export const sessionLen = 16;

/** Signed is a statement of the SAM. */
export const signedShape = { statement: "string", signature: "string", key: "string" } as const;
export type Signed = Of<typeof signedShape>;

const bindingShape = {
  aud: "string", sid: "string", nonce: "string", sub: "string", kid: "string", cert: "string", alg: "string",
  caller: "string", policy: "string", n: "integer", iat: "integer", exp: "integer",
} as const;

const requestShape = {
  typ: "string", bind: bindingShape, carrier: "string", creds: ["string"], origin: "string", rpId: "string", assurance: "string",
} as const;

export type Binding = Of<typeof bindingShape>;
export type ActivationRequest = Of<typeof requestShape>;

/** Context is what is shown besides the documents; signing makes it approved. */
export interface Context {
  op: string;
  asker: string;
  purpose: string;
  level: string;
}

/** Item is one signature that the signer approves. */
export interface Item {
  i: number;
  kind: string;
  name: string;
  hash: string;
  doc: string;
  dtbsr: string;
  xades?: XAdES; // there exactly with kind xades
}

/** SAD is signature activation data. */
export interface SAD {
  typ: "sap/sad/1";
  bind: Binding;
  auth: { method: "webauthn"; cred: string };
  ctx: Context;
  items: Item[];
}

/**
 * openStatement verifies the SAM's signature over label || 0 || statement and
 * decodes the canonical bytes. The label comes from the caller, never from the
 * message.
 */
export async function openStatement(sam: CryptoKey, lab: string, s: Signed): Promise<unknown> {
  const text = decode(s.statement);
  if (!(await verifyES256(sam, message(lab, text), decode(s.signature)))) throw new Error("the SAM's signature does not verify");
  return decodeBytes(text);
}

/** openActivationRequest verifies, decodes and checks the form of a request. */
export async function openActivationRequest(sam: CryptoKey, s: Signed): Promise<ActivationRequest> {
  const r = exact(await openStatement(sam, label.activationRequest, s), requestShape);
  if (r.typ !== "sap/activation-request/1") throw new Error("message of another type");
  checkBinding(r.bind);
  return r;
}

/** checkBinding looks at the form of every field. */
export function checkBinding(b: Binding): void {
  decodeLen(b.sid, sessionLen);
  decodeLen(b.nonce, nonceLen);
  decodeLen(b.cert, 32);
  for (const id of [b.aud, b.sub, b.kid, b.caller, b.policy]) {
    if (!validID(id)) throw new Error("binding: bad identifier");
  }
  if (!Object.hasOwn(algorithms, b.alg)) throw new Error("binding: unknown algorithm");
  if (b.n < 1 || b.n > maxItems) throw new Error("binding: bad count");
  if (b.iat <= 0 || b.exp <= b.iat) throw new Error("binding: bad times");
}

/** composeSAD builds the canonical bytes of a SAD and the challenge over them. */
export async function composeSAD(r: ActivationRequest, cred: string, ctx: Context, items: Item[]): Promise<{ sad: SAD; bytes: Bytes; challenge: Bytes }> {
  const sad: SAD = { typ: "sap/sad/1", bind: r.bind, auth: { method: "webauthn", cred }, ctx, items };
  checkSAD(sad);
  const bytes = canonicalBytes(sad);
  if (bytes.length > maxSize) throw new Error(`SAD: ${bytes.length} octets`);
  return { sad, bytes, challenge: await challenge(r.bind.nonce, bytes) };
}

/** challenge is the labelled hash that the passkey signs: 32 octets. */
export async function challenge(nonce: string, sad: Bytes): Promise<Bytes> {
  return labelled(label.challenge, decodeLen(nonce, nonceLen), await digest("sha256", sad));
}

/** checkSAD refuses here what the SAM would refuse later (sap.SAD.Check). */
export function checkSAD(s: SAD): void {
  checkBinding(s.bind);
  const cred = decode(s.auth.cred);
  if (cred.length === 0 || cred.length > 1023) throw new Error("SAD: bad authenticator");
  if (!validID(s.ctx.op) || !validID(s.ctx.level)) throw new Error("SAD: bad operation or level");
  if (!displayable(s.ctx.asker) || !displayable(s.ctx.purpose)) throw new Error("SAD: text that cannot be shown");
  if (s.items.length !== s.bind.n) throw new Error("SAD: number of items");
  const seen = new Set<string>();
  s.items.forEach((it, i) => {
    checkItem(it, i);
    if (seen.has(it.dtbsr)) throw new Error("SAD: one digest twice");
    seen.add(it.dtbsr);
  });
}

const kinds = new Set(["pades", "xades", "cades", "jades", "raw"]);

function checkItem(it: Item, i: number): void {
  if (it.i !== i || !kinds.has(it.kind) || !isHash(it.hash)) throw new Error("SAD: bad item");
  if (it.name === "" || !displayable(it.name)) throw new Error("SAD: name that cannot be shown");
  decodeLen(it.dtbsr, hashSize[it.hash]);
  if ((it.kind === "xades") !== (it.xades !== undefined)) throw new Error("SAD: properties of XAdES belong to kind xades");
  if (it.xades && !(forms as readonly string[]).includes(it.xades.form)) throw new Error("SAD: form of an XAdES signature");
  if (it.xades && !texts(it.xades).every(displayable)) throw new Error("SAD: properties that cannot be shown");
  if (it.kind === "raw") {
    if (it.doc !== "") throw new Error("SAD: raw item with a document");
  } else {
    decodeLen(it.doc, hashSize[it.hash]);
  }
}

/** hashOf returns the hash of a signature algorithm. */
export function hashOf(alg: string): HashName {
  const row = Object.hasOwn(algorithms, alg) ? algorithms[alg] : undefined;
  if (!row) throw new Error("unknown algorithm");
  return row.hash;
}

/** validID accepts the identifiers of the protocol. */
export function validID(s: string): boolean {
  return /^[0-9A-Za-z][0-9A-Za-z._:#@-]{0,127}$/.test(s);
}

/**
 * displayable accepts text that looks on screen like what it is: letters,
 * marks, numbers, punctuation, symbols and plain spaces; no control or format
 * characters (direction overrides, zero width), no line breaks.
 */
export function displayable(s: string): boolean {
  let n = 0;
  for (const c of s) {
    if (++n > maxText || c === "\ufffd") return false;
    if (c !== " " && c !== "\u00a0" && !/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(c)) return false;
    if (unseen.test(c)) return false;
  }
  return true;
}

// Letters, marks and symbols by their class that leave nothing on the screen
// (sap.Displayable names them).
const unseen = /^[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]$/u;
