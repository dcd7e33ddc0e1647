// Rebuilds what a PAdES signature signs (sap/dtbs.go, PAdESSignedAttributes):
// content-type, message-digest and ESS signing-certificate-v2, sorted, and
// nothing else. There is one byte string for each document digest and
// certificate, so a claim of somebody else can be compared byte by byte.

import { concat, type Bytes } from "./b64";
import { digest } from "./crypto";
import { tlv } from "./der";

const oid = (...b: number[]): Bytes => new Uint8Array([0x06, b.length, ...b]);
const contentType = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03);
const messageDigest = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04);
const signingCertificateV2 = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f);
const data = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01);

const SEQUENCE = 0x30;
const SET = 0x31;
const OCTET_STRING = 0x04;

/** padesSignedAttributes returns the DER SET OF Attribute that is signed. */
export async function padesSignedAttributes(docDigest: Bytes, certificate: Bytes): Promise<Bytes> {
  if (docDigest.length === 0 || certificate.length === 0) throw new Error("no digest or no certificate");
  const certHash = await digest("sha256", certificate);
  // The default hash SHA-256 of ESSCertIDv2 is omitted, as DER demands.
  const essCertID = tlv(SEQUENCE, tlv(OCTET_STRING, certHash));
  const attrs = [
    attribute(contentType, data),
    attribute(messageDigest, tlv(OCTET_STRING, docDigest)),
    attribute(signingCertificateV2, tlv(SEQUENCE, tlv(SEQUENCE, essCertID))),
  ].sort(compare);
  return tlv(SET, concat(...attrs));
}

function attribute(type: Bytes, value: Bytes): Bytes {
  return tlv(SEQUENCE, type, tlv(SET, value));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}
