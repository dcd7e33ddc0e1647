// Composes what an XAdES signature signs (sap/xades, sap/dtbs_xades.go): the octets
// of SignedProperties and of SignedInfo, from the digest of the data, the
// certificate and the approved properties. There is no XML reader and no
// canonicaliser here: each element is written as Exclusive XML Canonicalization
// writes it, so that a claim of somebody else can be compared byte by byte.

import { decodeLen, equal, find, utf8, type Bytes } from "./b64";
import { digest, hashSize, isHash, type HashName } from "./crypto";
import { read, tlv } from "./der";
import type { Of } from "./shape";

/** The approved properties, as they stand in the SAD (sap.XAdES). */
export const xadesShape = {
  id: "string", form: "string", time: "integer", mime: "string", description: "string", commitments: ["string"], roles: ["string"],
  place: { city: "string", street: "string", state: "string", postal: "string", country: "string" },
  policy: { id: "string", hash: "string", digest: "string" },
  // With the form internally-detached, and with several files: part is the identifier of the element that the item's
  // doc is the digest of, "" of files; more are further data objects.
  "objects?": { part: "string", more: [{ name: "string", doc: "string", mime: "string", description: "string" }] },
} as const;
export type XAdES = Of<typeof xadesShape>;

/**
 * The forms: the document less this signature, or less all signatures; the bytes of a file
 * beside the signature; an XML document, or any bytes, inside of the signature; an element beside
 * the signature in its document.
 */
export const forms = ["enveloped", "parallel", "detached", "enveloping", "enveloping-base64", "internally-detached"] as const;

const ds = "http://www.w3.org/2000/09/xmldsig#";
const more = "http://www.w3.org/2001/04/xmldsig-more#";
const pss = "http://www.w3.org/2007/05/xmldsig-more#";
const xadesSpace = "http://uri.etsi.org/01903/v1.3.2#";
const c14n = "http://www.w3.org/2001/10/xml-exc-c14n#";
const xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116";
const noSignatures = "not(ancestor-or-self::ds:Signature)";
const propertyType = "http://uri.etsi.org/01903#SignedProperties";

const digestMethods: Record<HashName, string> = {
  sha256: "http://www.w3.org/2001/04/xmlenc#sha256",
  sha384: more + "sha384",
  sha512: "http://www.w3.org/2001/04/xmlenc#sha512",
};

const signatureMethods: Record<string, string> = {
  ES256: more + "ecdsa-sha256", ES384: more + "ecdsa-sha384", ES512: more + "ecdsa-sha512",
  RS256: more + "rsa-sha256", RS384: more + "rsa-sha384", RS512: more + "rsa-sha512",
  PS256: pss + "sha256-rsa-MGF1", PS384: pss + "sha384-rsa-MGF1", PS512: pss + "sha512-rsa-MGF1",
};

const maxEntries = 20; // roles, commitments
const maxObjects = 50;
const maxTime = 253402300799; // the end of the year 9999

/** escapeText and escapeValue are section 2.3 of Canonical XML for text without control characters. */
const escapeText = (s: string) => s.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const escapeValue = (s: string) => s.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

type Attributes = readonly (readonly [string, string])[];

/** element writes one element; inner is canonical already. */
function element(name: string, attributes: Attributes, ...inner: string[]): string {
  return `<${name}${attributes.map(([n, v]) => ` ${n}="${escapeValue(v)}"`).join("")}>${inner.join("")}</${name}>`;
}

const leaf = (name: string, value: string, attributes: Attributes = []) => element(name, attributes, escapeText(value));
const optional = (name: string, value: string) => (value === "" ? "" : leaf(name, value));

function digestOf(h: HashName, d: Uint8Array, declared: Attributes = []): string {
  return leaf("ds:DigestMethod", "", [...declared, ["Algorithm", digestMethods[h]]]) + leaf("ds:DigestValue", base64(d), declared);
}

const run = 3 << 12; // octets whose base64 is made at a time: no padding but at the end, and no text of the size of a file

/** base64 is the form of XML Schema: the plain alphabet, with padding. */
export function base64(b: Uint8Array): string {
  let s = "";
  for (let at = 0; at < b.length; at += run) s += btoa(String.fromCharCode(...b.subarray(at, at + run)));
  return s;
}

/** holdsBase64 tells whether the base64 of octets stands in a file, between two pieces of text that are not of base64. */
export function holdsBase64(file: Uint8Array, before: string, b: Uint8Array, after: string): boolean {
  const mark = utf8(before);
  const is = (at: number, text: string) => equal(file.subarray(at, at + text.length), utf8(text));
  const whole = (from: number): boolean => {
    let to = from;
    for (let at = 0; at < b.length; at += run) {
      const text = base64(b.subarray(at, at + run));
      if (!is(to, text)) return false;
      to += text.length;
    }
    return is(to, after);
  };
  for (let at = find(file, mark); at >= 0; ) {
    if (whole(at + mark.length)) return true;
    const next = find(file.subarray(at + 1), mark);
    at = next < 0 ? -1 : at + 1 + next;
  }
  return false;
}

/** fits refuses what has no text, as sap and sap/xades do; that it can be shown checkItem has seen. */
function fits(x: XAdES): void {
  const fail = (what: string): never => {
    throw new Error(`XAdES: ${what}`);
  };
  if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(x.id)) fail("identifier");
  if (!(forms as readonly string[]).includes(x.form)) fail("form");
  if (x.time < 1 || x.time > maxTime) fail("time");
  const more = further(x);
  const beside = x.form === "internally-detached";
  if (beside !== (x.objects !== undefined && x.objects.part !== "")) fail("an element in a signature of another form");
  if (more.length >= maxObjects || (x.objects && !beside && (x.form !== "detached" || more.length === 0))) fail("several data objects");
  for (const id of beside ? [x.objects!.part, ...more.map((o) => o.name)] : []) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/.test(id) || id === x.id || id.startsWith(`${x.id}-`)) fail("identifier of an element");
  }
  if (x.mime === "" || more.some((o) => o.mime === "")) fail("no type");
  if (x.roles.length > maxEntries || x.commitments.length > maxEntries) fail("too many roles or commitments");
  if (x.roles.includes("") || x.commitments.includes("")) fail("an empty role or commitment");
  const p = x.policy;
  if (p.id !== "" || p.hash !== "" || p.digest !== "") {
    if (p.id === "" || !isHash(p.hash)) return fail("policy");
    decodeLen(p.digest, hashSize[p.hash]);
  }
}

/** further are the data objects behind the first one. */
export const further = (x: XAdES) => x.objects?.more ?? [];

/** texts are all that a signer has to be able to read. */
export function texts(x: XAdES): string[] {
  const more = further(x).flatMap((o) => [o.name, o.mime, o.description]);
  return [x.objects?.part ?? "", ...more, x.id, x.mime, x.description, ...Object.values(x.place), x.policy.id, ...x.commitments, ...x.roles];
}

/** signedProperties returns the octets of the SignedProperties element. */
export async function signedProperties(x: XAdES, certificate: Bytes): Promise<Bytes> {
  fits(x);
  const declared: Attributes = [["xmlns:ds", ds]];
  const cert = element(
    "xades:Cert",
    [],
    element("xades:CertDigest", [], digestOf("sha256", await digest("sha256", certificate), declared)),
    leaf("xades:IssuerSerialV2", base64(issuerSerial(certificate))),
  );
  const signature = element(
    "xades:SignedSignatureProperties",
    [],
    leaf("xades:SigningTime", new Date(x.time * 1000).toISOString().replace(".000Z", "Z")),
    element("xades:SigningCertificateV2", [], cert),
    policy(x.policy, declared),
    place(x.place),
    x.roles.length === 0 ? "" : element("xades:SignerRoleV2", [], element("xades:ClaimedRoles", [], ...x.roles.map((r) => leaf("xades:ClaimedRole", r)))),
  );
  const format = (o: { mime: string; description: string }, i: number) =>
    element("xades:DataObjectFormat", [["ObjectReference", `#${x.id}-ref${i}`]], optional("xades:Description", o.description), leaf("xades:MimeType", o.mime));
  const data = element("xades:SignedDataObjectProperties", [], ...[x, ...further(x)].map(format), ...x.commitments.map(commitment));
  return utf8(element("xades:SignedProperties", [["xmlns:xades", xadesSpace], ["Id", `${x.id}-props`]], signature, data));
}

function identifier(uri: string): string {
  return leaf("xades:Identifier", uri, uri.startsWith("urn:oid:") ? [["Qualifier", "OIDAsURN"]] : []);
}

function commitment(uri: string): string {
  return element("xades:CommitmentTypeIndication", [], element("xades:CommitmentTypeId", [], identifier(uri)), leaf("xades:AllSignedDataObjects", ""));
}

function policy(p: XAdES["policy"], declared: Attributes): string {
  if (p.id === "" || !isHash(p.hash)) return "";
  const id = element(
    "xades:SignaturePolicyId",
    [],
    element("xades:SigPolicyId", [], identifier(p.id)),
    element("xades:SigPolicyHash", [], digestOf(p.hash, decodeLen(p.digest, hashSize[p.hash]), declared)),
  );
  return element("xades:SignaturePolicyIdentifier", [], id);
}

function place(p: XAdES["place"]): string {
  if (Object.values(p).every((v) => v === "")) return "";
  return element(
    "xades:SignatureProductionPlaceV2",
    [],
    optional("xades:City", p.city),
    optional("xades:StreetAddress", p.street),
    optional("xades:StateOrProvince", p.state),
    optional("xades:PostalCode", p.postal),
    optional("xades:CountryName", p.country),
  );
}

/** fileURI names a file beside the signature: all but unreserved characters are percent-encoded. */
export const fileURI = (name: string) => encodeURIComponent(name).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** reference is how data of a name is named and how its octets come about. */
function reference(x: XAdES, name: string): [string, ...string[]] {
  switch (x.form) {
    case "detached":
      return [fileURI(name)];
    case "enveloping":
      return [`#${x.id}-object`, c14n];
    case "enveloping-base64":
      return [`#${x.id}-object`, `${ds}base64`];
    case "internally-detached":
      return [`#${name}`, c14n];
    case "parallel":
      return ["", xpath, c14n];
    default:
      return ["", `${ds}enveloped-signature`, c14n];
  }
}

/** signedInfo returns the octets of the SignedInfo element: what the key signs. name is that of the file. */
export async function signedInfo(x: XAdES, name: string, alg: string, hash: HashName, doc: Bytes, certificate: Bytes): Promise<Bytes> {
  const method = Object.hasOwn(signatureMethods, alg) ? signatureMethods[alg]! : undefined;
  if (!method || doc.length !== hashSize[hash]) throw new Error("XAdES: algorithm or digest");
  const objects = [{ name: x.objects?.part || name, doc }, ...further(x).map((o) => ({ name: o.name, doc: decodeLen(o.doc, hashSize[hash]) }))];
  if (x.form === "detached" && objects.some((o) => o.name === "")) throw new Error("XAdES: a file without a name");
  if (new Set(objects.map((o) => o.name)).size !== objects.length) throw new Error("XAdES: two data objects of a name");
  const properties = await signedProperties(x, certificate);
  const transform = (a: string) => element("ds:Transform", [["Algorithm", a]], a === xpath ? leaf("ds:XPath", noSignatures) : "");
  const transforms = (...algorithms: string[]) => element("ds:Transforms", [], ...algorithms.map(transform));
  return utf8(
    element(
      "ds:SignedInfo",
      [["xmlns:ds", ds]],
      leaf("ds:CanonicalizationMethod", "", [["Algorithm", c14n]]),
      leaf("ds:SignatureMethod", "", [["Algorithm", method]]),
      ...objects.map((o, i) => {
        const [uri, ...how] = reference(x, o.name);
        return element("ds:Reference", [["Id", `${x.id}-ref${i}`], ["URI", uri]], how.length === 0 ? "" : transforms(...how), digestOf(hash, o.doc));
      }),
      element("ds:Reference", [["Type", propertyType], ["URI", `#${x.id}-props`]], transforms(c14n), digestOf(hash, await digest(hash, properties))),
    ),
  );
}

/** issuerSerial is the DER of IssuerSerial (RFC 5035, section 5). */
function issuerSerial(certificate: Bytes): Bytes {
  const tbs = read(certificate, 0x30).children[0];
  const first = tbs?.children[0]?.tag === 0xa0 ? 1 : 0; // version
  const serial = tbs?.children[first];
  const issuer = tbs?.children[first + 2];
  if (serial?.tag !== 0x02 || issuer?.tag !== 0x30) throw new Error("XAdES: certificate");
  return tlv(0x30, tlv(0x30, tlv(0xa4, issuer.raw)), serial.raw);
}

/** signedDigests are the digests of the data objects inside of verified SignedInfo octets. */
export function signedDigests(info: Bytes): Bytes[] {
  const all = [...new TextDecoder().decode(info).matchAll(/<ds:DigestValue>([A-Za-z0-9+/=]+)<\/ds:DigestValue>/g)];
  return all.slice(0, -1).map((m) => Uint8Array.from(atob(m[1]!), (c) => c.charCodeAt(0)));
}
