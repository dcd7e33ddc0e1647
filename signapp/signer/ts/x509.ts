// The face of a certificate: holder, issuer, validity, key. The certificate is
// already known to be the right one (its hash is in the SAM's signed request),
// so nothing is validated here; it is only made readable.

import type { Bytes } from "./b64";
import { read, type Node } from "./der";

/** Certificate is what is shown of a certificate. */
export interface Certificate {
  der: Bytes;
  name: Bytes; // the subject's octets
  subject: string; // common name, else organisation, else the whole name
  issuer: string;
  notBefore: Date;
  notAfter: Date;
  spki: Bytes;
}

/** parseCertificate reads the face of an X.509 certificate. */
export function parseCertificate(der: Bytes): Certificate {
  const cert = read(der, 0x30);
  const tbs = at(cert, 0, 0x30);
  const first = tbs.children[0]?.tag === 0xa0 ? 1 : 0; // version
  const validity = at(tbs, first + 3, 0x30);
  return {
    der,
    issuer: nameText(at(tbs, first + 2, 0x30)),
    name: at(tbs, first + 4, 0x30).raw.slice(),
    subject: nameText(at(tbs, first + 4, 0x30)),
    notBefore: time(validity.children[0]),
    notAfter: time(validity.children[1]),
    spki: at(tbs, first + 5, 0x30).raw.slice(),
  };
}

/** readName makes the octets of a name readable, as parseCertificate does. */
export function readName(der: Bytes): string {
  return nameText(read(der, 0x30));
}

function at(n: Node, i: number, tag: number): Node {
  const c = n.children[i];
  if (!c || c.tag !== tag) throw new Error("certificate: unexpected structure");
  return c;
}

const attributeNames: Record<string, string> = { "550403": "CN", "55040a": "O", "55040b": "OU", "550406": "C", "550404": "SN", "55042a": "GN", "550405": "serialNumber" };

function nameText(name: Node): string {
  const found: [string, string][] = [];
  for (const rdn of name.children) {
    for (const atv of rdn.children) {
      const type = Array.from(at(atv, 0, 0x06).body, (v) => v.toString(16).padStart(2, "0")).join("");
      found.push([attributeNames[type] ?? "?", text(atv.children[1])]);
    }
  }
  const pick = (k: string) => found.find(([n]) => n === k)?.[1];
  return pick("CN") ?? pick("O") ?? found.map(([k, v]) => `${k}=${v}`).join(", ");
}

function text(n: Node | undefined): string {
  switch (n?.tag) {
    case 0x0c: // UTF8String
      return new TextDecoder("utf-8", { fatal: true }).decode(n.body);
    case 0x13: // PrintableString
    case 0x16: // IA5String
      return Array.from(n.body, (v) => String.fromCharCode(v & 0x7f)).join("");
    case 0x14: // TeletexString: in practice Latin-1
      return Array.from(n.body, (v) => String.fromCharCode(v)).join("");
    case 0x1e: // BMPString
      return new TextDecoder("utf-16be").decode(n.body);
  }
  throw new Error("certificate: unreadable name");
}

function time(n: Node | undefined): Date {
  const s = n ? Array.from(n.body, (v) => String.fromCharCode(v)).join("") : "";
  const m = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(s);
  if (!m || !n || (n.tag !== 0x17 && n.tag !== 0x18) || (n.tag === 0x17) !== (m[1]!.length === 2)) throw new Error("certificate: unreadable time");
  let year = Number(m[1]);
  if (n.tag === 0x17) year += year < 50 ? 2000 : 1900; // RFC 5280 section 4.1.2.5.1
  return new Date(Date.UTC(year, Number(m[2]) - 1, Number(m[3]), Number(m[4]), Number(m[5]), Number(m[6])));
}
