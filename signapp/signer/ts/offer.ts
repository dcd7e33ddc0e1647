// What is offered for signature, checked before a person sees it. Nothing that
// the application says is taken over: the SAM's request is verified, the
// documents are hashed, the signed attributes are rebuilt and compared byte by
// byte. Any difference is a Stop, and there is no way around it.

import { TooLarge, type Relay, type View } from "./api";
import { decode, decodeLen, encode, equal, type Bytes } from "./b64";
import { padesSignedAttributes } from "./cms";
import type { Config } from "./config";
import { digest, hashSize, type HashName } from "./crypto";
import { covered, findHole, HoleError, type Hole } from "./pdfhole";
import { displayable, hashOf, maxItems, openActivationRequest, validID, type ActivationRequest, type Item, type Signed } from "./sap";
import { decodeText, lookOf, type Look } from "./textview";
import { parseCertificate, type Certificate } from "./x509";
import { further, signedInfo, signedProperties, texts, type XAdES } from "./xades";

/** The ways in which a request can fail to be what it claims. */
export type StopCode = "request" | "binding" | "certificate" | "view" | "kind" | "document" | "too_large" | "hole" | "gap" | "tail" | "attributes" | "digest" | "receipt";

/** Stop ends everything. detail is for technicians. */
export class Stop extends Error {
  constructor(
    readonly code: StopCode,
    readonly detail: string,
    readonly item = "",
  ) {
    super(`${code}: ${detail}`);
  }
}

/** Part is one data object of an item as this device knows it. */
export interface Part {
  name: string; // of the file, or identifier of the element
  look: Look; // what the bytes are shown as
  bytes: Bytes; // the very bytes that were hashed
  doc: string; // their digest
  mime?: string; // of kind xades: the type that the signature says they are of
}

/** Document is one item as this device knows it. */
export interface Document {
  item: Item; // what will be approved
  size: number;
  parts: Part[]; // all that the signature is over, in its order; none of raw items
  hole?: Hole;
  attributes?: Bytes; // what the key signs the hash of
  properties?: Bytes; // of kind xades: SignedProperties
}

/** Offer is a checked request. */
export interface Offer {
  view: View;
  request: ActivationRequest;
  certificate: Certificate;
  hash: HashName;
  documents: Document[];
}

/** files is how many documents are signed: elements of a document are one, files beside a signature as many as they are. */
export function files(documents: Document[]): number {
  return documents.reduce((n, d) => n + (d.item.xades?.form === "detached" ? d.parts.length : 1), 0);
}

/** checkView looks at the form of the application's claims. */
export function checkView(v: View): void {
  const fail = (what: string): never => {
    throw new Stop("view", what);
  };
  if (!validID(v.id) || !validID(v.level) || !validID(v.key) || !validID(v.signer.id)) fail("identifier");
  if (!displayable(v.asker) || v.asker === "" || !displayable(v.purpose)) fail("asker or purpose");
  if (v.items.length < 1 || v.items.length > maxItems) fail(`${v.items.length} items`);
  if (v.chain.length < 1) fail("no certificate");
  v.items.forEach((it, i) => {
    if (it.i !== i || it.name === "" || !displayable(it.name) || it.size < 0) fail(`item ${i}`);
    if (it.kind !== "pades" && it.kind !== "xades" && it.kind !== "raw") throw new Stop("kind", it.kind, it.name);
    if (it.xades.length !== (it.kind === "xades" ? 1 : 0) || (it.kind !== "xades" && it.signed_properties !== "")) fail(`item ${i}: properties`);
    if (!it.xades.every((x) => texts(x).every(displayable))) fail(`item ${i}: a property that cannot be shown`);
  });
}

/** leaf decodes the signer's certificate from the claim. */
export function leaf(v: View): Certificate {
  try {
    return parseCertificate(Uint8Array.from(atob(v.chain[0]!), (c) => c.charCodeAt(0)));
  } catch (e) {
    throw new Stop("certificate", String(e));
  }
}

/** checkRequest verifies the SAM's request and that it is for this operation. */
export async function checkRequest(cfg: Config, v: View, cert: Certificate, signed: Signed): Promise<ActivationRequest> {
  let r: ActivationRequest;
  try {
    r = await cfg.sam.open(signed.key, (k) => openActivationRequest(k, signed), (v) => v.bind.iat * 1000);
  } catch (e) {
    throw new Stop("request", String(e));
  }
  const b = r.bind;
  const differs = Object.entries({
    aud: b.aud !== cfg.aud, origin: r.origin !== cfg.origin, rpId: r.rpId !== cfg.rpId, carrier: r.carrier !== "webauthn",
    sub: b.sub !== v.signer.id, kid: b.kid !== v.key, alg: b.alg !== v.alg, n: b.n !== v.items.length, creds: r.creds.length < 1 || r.creds.length > 20,
  }).filter(([, bad]) => bad);
  if (differs.length > 0) throw new Stop("binding", differs.map(([name]) => name).join(", "));
  if (b.cert !== encode(await digest("sha256", cert.der))) throw new Stop("certificate", "hash differs");
  return r;
}

/** sameTerms: a renewed request may differ in nonce, session and times only. */
export function sameTerms(a: ActivationRequest, b: ActivationRequest): boolean {
  const terms = (r: ActivationRequest) => JSON.stringify([r.bind.caller, r.bind.policy, r.assurance, [...r.creds].sort()]);
  return terms(a) === terms(b);
}

/** checkDocument derives an item from the delivered bytes and compares it with the claim. */
export async function checkDocument(claim: View["items"][number], bytes: Bytes, hash: HashName, cert: Certificate): Promise<Document> {
  const stop = (code: StopCode, e: unknown) => new Stop(code, e instanceof Error ? e.message : String(e), claim.name);
  if (claim.hash !== hash) throw stop("digest", `${claim.hash} where ${hash} belongs`);
  if (bytes.length !== claim.size) throw stop("document", `${bytes.length} bytes where ${claim.size} were announced`);
  let hole: Hole;
  try {
    hole = await findHole(bytes);
  } catch (e) {
    throw stop(e instanceof HoleError ? e.code : "hole", e);
  }
  const doc = await digest(hash, covered(bytes, hole));
  const attributes = await padesSignedAttributes(doc, cert.der);
  if (!equal(attributes, claimed(claim.signed_attributes))) throw stop("attributes", `document digest ${encode(doc)}`);
  const dtbsr = encode(await digest(hash, attributes));
  if (dtbsr !== claim.dtbsr) throw stop("digest", `${claim.dtbsr} announced, ${dtbsr} computed`);
  const item: Item = { i: claim.i, kind: "pades", name: claim.name, hash, doc: encode(doc), dtbsr };
  return { item, size: bytes.length, parts: [{ name: claim.name, look: "pdf", bytes, doc: item.doc }], hole, attributes };
}

/**
 * checkXML derives an item of kind xades from the delivered octets: they are hashed
 * as they are and shown as text, or, if they are a file beside or inside of the signature, as what
 * that file is; what is signed is composed from their digest, the certificate and the properties
 * that are shown, and compared with the claim. No XML is read.
 */
export async function checkXML(claim: View["items"][number], bytes: Bytes, alg: string, hash: HashName, cert: Certificate): Promise<Document> {
  const stop = (code: StopCode, e: unknown) => new Stop(code, e instanceof Error ? e.message : String(e), claim.name);
  if (claim.hash !== hash) throw stop("digest", `${claim.hash} where ${hash} belongs`);
  if (bytes.length !== claim.size) throw stop("document", `${bytes.length} bytes where ${claim.size} were announced`);
  const parts: Part[] = [];
  const claimedX = claim.xades[0]!;
  try {
    parts.push(...(await dataObjects(claim, claimedX, bytes, hash)));
  } catch (e) {
    throw stop("document", e);
  }
  // What is approved is what is there, whatever the application says of it.
  const x: XAdES = claimedX.objects
    ? { ...claimedX, objects: { part: claimedX.objects.part, more: claimedX.objects.more.map((o, i) => ({ ...o, doc: parts[i + 1]!.doc })) } }
    : claimedX;
  const doc = decode(parts[0]!.doc);
  let attributes: Bytes;
  let properties: Bytes;
  try {
    properties = await signedProperties(x, cert.der);
    attributes = await signedInfo(x, claim.name, alg, hash, doc, cert.der);
  } catch (e) {
    throw stop("attributes", e);
  }
  if (!equal(properties, claimed(claim.signed_properties))) throw stop("attributes", "SignedProperties");
  if (!equal(attributes, claimed(claim.signed_attributes))) throw stop("attributes", `document digest ${encode(doc)}`);
  const dtbsr = encode(await digest(hash, attributes));
  if (dtbsr !== claim.dtbsr) throw stop("digest", `${claim.dtbsr} announced, ${dtbsr} computed`);
  const item: Item = { i: claim.i, kind: "xades", name: claim.name, hash, doc: encode(doc), dtbsr, xades: x };
  return { item, size: bytes.length, parts, attributes, properties };
}

/** dataObjects cuts what was delivered into the data objects, which stand one after the other, and hashes each. */
async function dataObjects(claim: View["items"][number], x: XAdES, bytes: Bytes, hash: HashName): Promise<Part[]> {
  const names = [x.objects?.part || claim.name, ...further(x).map((o) => o.name)];
  const types = [x.mime, ...further(x).map((o) => o.mime)];
  const sizes = claim.sizes ?? [bytes.length];
  if (sizes.length !== names.length || sizes.some((n) => n < 0) || sizes.reduce((a, n) => a + n, 0) !== bytes.length) throw new Error(`sizes ${sizes.join(" ")} of ${bytes.length} bytes, ${names.length} data objects`);
  const parts: Part[] = [];
  let at = 0;
  for (const [i, name] of names.entries()) {
    const part = sizes.length === 1 ? bytes : bytes.slice(at, at + sizes[i]!);
    at += sizes[i]!;
    parts.push({ name, look: shownAs(x.form, part), bytes: part, doc: encode(await digest(hash, part)), mime: types[i]! });
  }
  return parts;
}

/**
 * shownAs tells what a data object is shown as. A file that is signed as it is, beside the signature or inside of it,
 * is what its readers take it for: the source of a PDF is not what they will see. Octets of XML are text.
 */
function shownAs(form: string, part: Bytes): Look {
  const file = form === "detached" || form === "enveloping-base64";
  const look = file ? lookOf(part) : "text";
  if (look === "text") decodeText(part);
  if (look === "octets" && form === "detached") throw new Error("a file beside the signature that is neither text nor a PDF");
  return look;
}

function claimed(s: string): Uint8Array {
  try {
    return decode(s);
  } catch {
    return new Uint8Array(0);
  }
}

/** rawDocument takes over a digest of content that is not shown. */
export function rawDocument(claim: View["items"][number], hash: HashName): Document {
  try {
    decodeLen(claim.dtbsr, hashSize[hash]);
  } catch (e) {
    throw new Stop("digest", String(e), claim.name);
  }
  if (claim.hash !== hash || claim.signed_attributes !== "") throw new Stop("digest", "raw item with attributes or another hash", claim.name);
  return { item: { i: claim.i, kind: "raw", name: claim.name, hash, doc: "", dtbsr: claim.dtbsr }, size: claim.size, parts: [] };
}

/** fetchOffer gets and checks everything; step tells a person how far it is. */
export async function fetchOffer(cfg: Config, relay: Relay, v: View, step: (what: "request" | "document" | "check", i: number) => void): Promise<Offer> {
  checkView(v);
  const certificate = leaf(v);
  step("request", 0);
  const request = await checkRequest(cfg, v, certificate, await relay.request());
  const hash = hashOf(request.bind.alg);
  const documents: Document[] = [];
  for (const claim of v.items) {
    if (claim.kind === "raw") {
      documents.push(rawDocument(claim, hash));
      continue;
    }
    step("document", claim.i);
    const bytes = await fetchDocument(cfg, relay, claim);
    step("check", claim.i);
    documents.push(await (claim.kind === "xades" ? checkXML(claim, bytes, request.bind.alg, hash, certificate) : checkDocument(claim, bytes, hash, certificate)));
  }
  return { view: v, request, certificate, hash, documents };
}

async function fetchDocument(cfg: Config, relay: Relay, claim: View["items"][number]): Promise<Bytes> {
  const max = Math.min(cfg.maxDocument, claim.size);
  if (claim.size > cfg.maxDocument) throw new Stop("too_large", `${claim.size} bytes`, claim.name);
  try {
    return await relay.document(claim.i, max);
  } catch (e) {
    if (e instanceof TooLarge) throw new Stop("too_large", `more than ${max} bytes`, claim.name);
    if (e instanceof Error && "status" in e && e.status === 404) throw new Stop("document", "not found", claim.name);
    throw e;
  }
}
