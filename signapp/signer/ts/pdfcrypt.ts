// Opens PDFs that are encrypted with AES-256 and need no password (ISO 32000-2, 7.6.4,
// revisions 5 and 6), so that their object streams can be looked through. Another
// reader must not come to another key or another rule: there may be one /Encrypt in
// the file, under a number that one object has, in one reading. Else it is refused,
// and what is refused here counts as not looked through.

import { concat, equal, hex, utf8, type Bytes } from "./b64";
import { ascii, find, readName, skip, white } from "./bytes";
import { digest } from "./crypto";
import { nameOf, readEntries } from "./pdfstream";
import { readDict, type Dict, type Value } from "./pdfsyntax";

/** Lock is the encryption of a file. */
export interface Lock {
  streams: boolean; // encrypted, if they do not say otherwise
  whole: boolean; // strings, streams and attachments are
  metadata: boolean; // the metadata is, too
  open(data: Uint8Array): Promise<Bytes>;
}

/** unlock reads the encryption named at the given places; it throws for what it does not know. */
export async function unlock(pdf: Uint8Array, places: number[]): Promise<Lock> {
  const dicts = [...dictionaries(pdf, places)].map((p) => readDict(pdf.subarray(0, p + maxExtent), p));
  const dict = dicts[0]!;
  if (dicts.some((d) => spelled(d) !== spelled(dict))) throw new Error("more than one encryption");
  const word = (key: string, otherwise: string) => {
    const v = dict.get(key) ?? otherwise;
    if (typeof v !== "string") throw new Error(`an unusual /${key}`);
    return v;
  };
  const revision = Number(word("R", "0"));
  if (word("Filter", "") !== "/Standard" || word("V", "") !== "5" || (revision !== 5 && revision !== 6)) throw new Error("encrypted in another way");
  const [streams, strings, files] = filters(dict, word);
  const metadata = word("EncryptMetadata", "true");
  if (metadata !== "true" && metadata !== "false") throw new Error("an unusual /EncryptMetadata");
  const u = octets(dict, "U", 48);
  if (!equal(await passwordHash(revision, u.subarray(32, 40)), u.subarray(0, 32))) throw new Error("a password is needed");
  const fileKey = await decryptBlocks(await aes(await passwordHash(revision, u.subarray(40, 48))), new Uint8Array(16), octets(dict, "UE", 32));
  const key = await aes(fileKey);
  checkPermissions(await decryptBlocks(key, new Uint8Array(16), octets(dict, "Perms", 16)), Number(word("P", "x")), metadata === "true");
  return {
    streams,
    whole: streams && strings && files,
    metadata: metadata === "true",
    open: async (data) => new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: concat(data.subarray(0, 16)) }, key, concat(data.subarray(16)))),
  };
}

/** lockOf reads how a file is encrypted, undefined if it is not; wherever the name stands that leads to it counts. */
export async function lockOf(pdf: Uint8Array): Promise<Lock | undefined> {
  const places: number[] = [];
  for (let p = pdf.indexOf(0x2f); p >= 0; p = pdf.indexOf(0x2f, p + 1)) {
    if ((pdf[p + 1] === 0x45 || pdf[p + 1] === 0x23) && readName(pdf, p)[0] === "Encrypt") places.push(p);
  }
  return places.length > 0 ? unlock(pdf, places) : undefined;
}

/** trimmed takes off the line end between the data of an encrypted stream and the keyword. */
export function trimmed(data: Uint8Array): Uint8Array {
  const over = data.length % 16;
  if (over > 2 || data.subarray(data.length - over).some((c) => c !== 10 && c !== 13)) throw new Error("not encrypted");
  return data.subarray(0, data.length - over);
}

/** spelled writes a dictionary in one spelling: every trailer has its own copy of one that stands in place. */
function spelled(v: Value): string {
  if (typeof v === "string") return JSON.stringify(v);
  if (v instanceof Uint8Array) return `<${hex(v)}>`;
  return `{${[...v].map(([key, e]) => `${JSON.stringify(key)}:${spelled(e)}`).sort().join(",")}}`;
}

const maxPlaces = 512; // each revision of a file names its encryption once
const maxExtent = 1 << 16; // octets from one such place to the end of a dictionary that stands there

/**
 * dictionaries returns where the dictionaries begin that /Encrypt at the given places leads to. All places are read before the
 * file is searched, once: a file can name its encryption as often as it has room for.
 */
function dictionaries(pdf: Uint8Array, places: number[]): Set<number> {
  if (places.length > maxPlaces) throw new Error("an encryption that is named too often");
  const found = new Set<number>();
  const references = new Set<string>();
  for (const p of places) {
    const near = pdf.subarray(0, p + maxExtent);
    const at = skip(near, readName(near, p)[1]);
    const m = /^(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![A-Za-z0-9])/.exec(ascii(near, at, 40));
    if (m) references.add(`${Number(m[1])} ${Number(m[2])}`);
    else if (ascii(near, at, 2) === "<<") found.add(at);
    else throw new Error("an unusual /Encrypt");
  }
  if (references.size > 1) throw new Error("more than one encryption");
  for (const r of references) found.add(objectOf(pdf, r));
  return found;
}

/** objectOf returns where the one dictionary begins that has the number and generation. */
function objectOf(pdf: Uint8Array, reference: string): number {
  const [number, generation] = reference.split(" ").map(Number);
  const found: number[] = [];
  const bodyOf = skipper(pdf);
  for (let q = find(pdf, "obj", 0); q >= 0; q = find(pdf, "obj", q + 3)) {
    const body = bodyOf(q + 3);
    if (ascii(pdf, body, 2) !== "<<" || ascii(pdf, q - 3, 3) === "end") continue;
    const head = /(?:^|[^0-9])(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]*$/.exec(ascii(pdf, Math.max(0, q - 48), Math.min(q, 48)));
    const same = head !== null && Number(head[1]) === number && Number(head[2]) === generation;
    // A cross-reference can lead into the middle of a number, and over a comment in a head.
    if (same) found.push(body);
    else if ((!head || head[1]!.endsWith(String(number))) && encrypts(pdf, body)) throw new Error("more than one encryption");
  }
  if (found.length !== 1) throw new Error("no encryption dictionary, or more than one");
  return found[0]!;
}

/** skipper is skip for places that grow; a comment with many of them in it is passed once. */
function skipper(pdf: Uint8Array): (p: number) => number {
  let from = 0;
  let to = 0; // all from from on is white space and comments, up to here
  return (p) => {
    let q = p;
    while (white(pdf[q])) q++;
    if (pdf[q] !== 0x25) return q;
    if (q >= from && q < to) return to;
    from = q;
    to = skip(pdf, q);
    return to;
  };
}

/** encrypts tells whether a dictionary could be one of encryption. */
function encrypts(pdf: Uint8Array, body: number): boolean {
  const dict = readEntries(pdf, body);
  return nameOf(pdf, dict, "Filter") === "Standard" || ["StmF", "StrF", "CF", "OE", "UE"].some((key) => dict.values.has(key));
}

/** filters tells what of streams, strings and attachments is encrypted. */
function filters(dict: Dict, word: (key: string, otherwise: string) => string): [boolean, boolean, boolean] {
  const list = dict.get("CF");
  const on = (name: string): boolean => {
    if (name === "/Identity") return false;
    const f = list instanceof Map ? list.get(name.slice(1)) : undefined;
    if (!(f instanceof Map) || f.get("CFM") !== "/AESV3") throw new Error("encrypted in another way");
    return true;
  };
  const streams = word("StmF", "/Identity");
  return [on(streams), on(word("StrF", "/Identity")), on(word("EFF", streams))];
}

function octets(dict: Dict, key: string, want: number): Bytes {
  const v: Value | undefined = dict.get(key);
  if (!(v instanceof Uint8Array) || v.length < want || v.slice(want).some((c) => c !== 0)) throw new Error(`an unusual /${key}`);
  return v.slice(0, want);
}

/** checkPermissions holds /P, which anybody can change, against its copy under the key. */
function checkPermissions(perms: Bytes, p: number, metadata: boolean): void {
  const copy = new DataView(perms.buffer).getInt32(0, true);
  if (!Number.isInteger(p) || (p | 0) !== copy || perms[8] !== (metadata ? 0x54 : 0x46) || ascii(perms, 9, 3) !== "adb") throw new Error("the permissions were tampered with");
}

/** passwordHash is algorithm 2.B of ISO 32000-2 for the empty password; it ends by round 288. */
async function passwordHash(revision: number, salt: Uint8Array): Promise<Bytes> {
  let k = await digest("sha256", concat(salt));
  if (revision === 5) return k;
  for (let round = 1; ; round++) {
    const input = new Uint8Array(64 * k.length);
    for (let i = 0; i < 64; i++) input.set(k, i * k.length);
    const key = await aes(k.subarray(0, 16));
    const e = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: k.slice(16, 32) }, key, input)).slice(0, input.length); // without the padding
    let sum = 0; // 256 is 1 modulo 3
    for (const c of e.subarray(0, 16)) sum += c;
    k = await digest((["sha256", "sha384", "sha512"] as const)[sum % 3]!, e);
    if (round >= 64 && e[e.length - 1]! <= round - 32) return k.slice(0, 32);
  }
}

function aes(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", concat(key), "AES-CBC", false, ["encrypt", "decrypt"]);
}

/** decryptBlocks is CBC without padding, which WebCrypto does not have: a block is put behind that decrypts to one of padding. */
async function decryptBlocks(key: CryptoKey, iv: Bytes, data: Bytes): Promise<Bytes> {
  const padding = await crypto.subtle.encrypt({ name: "AES-CBC", iv: data.slice(-16) }, key, utf8(""));
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, concat(data, new Uint8Array(padding))));
}
