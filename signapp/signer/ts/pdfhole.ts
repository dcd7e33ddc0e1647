// Finds the place of the signature in a prepared PDF without believing anyone.
//
// What is hashed is every byte but one hole, and the hole is the zero-filled
// /Contents string of the only signature dictionary whose ByteRange reaches
// from the first byte to the last. A wider gap could be filled with other
// content after the approval; bytes behind the range could replace a page; a
// second dictionary with another range over the same bytes could move them.

import { concat, type Bytes } from "./b64";
import { ascii, digit, readName, skip } from "./bytes";
import { checkUnreachable } from "./pdfreach";

/** Hole is the gap [start, end): "<", zeros, ">". */
export interface Hole {
  start: number;
  end: number;
  terms: Terms;
}

/** Terms are what the signature says of later changes. */
export interface Terms {
  /** certifies: DocMDP; 1 no change, 2 forms and signatures, 3 comments too. */
  certifies?: 1 | 2 | 3;
  /** locks: fields that may not change any more (FieldMDP). */
  locks?: "All" | "Include" | "Exclude";
}

/**
 * HoleError says why a file is not a properly prepared document: "gap", what is left unsigned is not exactly the
 * signature's own string of zeros; "tail", what is signed does not end with the file; "hole", anything else.
 */
export class HoleError extends Error {
  constructor(
    message: string,
    readonly code: "gap" | "tail" | "hole" = "hole",
  ) {
    super(message);
  }
}

const minZeros = 64; // less than any CMS signature
const maxZeros = 8 << 20;

/** findHole returns the one hole of a prepared PDF, or throws a HoleError. */
export async function findHole(pdf: Uint8Array): Promise<Hole> {
  if (ascii(pdf, 0, 5) !== "%PDF-") throw new HoleError("the file does not begin as a PDF");
  const whole: { at: number; range: number[] }[] = [];
  let lastEnd = 0;
  for (const at of byteRanges(pdf)) {
    const range = readRange(pdf, at);
    if (!range) continue; // no array follows: no reader takes it for a ByteRange
    const end = range[2]! + range[3]!;
    if (end >= pdf.length || range[0] !== 0) whole.push({ at, range });
    else lastEnd = Math.max(lastEnd, end);
  }
  if (whole.length === 0) throw new HoleError("no signature field covers the whole file up to its last byte", "tail");
  if (whole.length > 1) throw new HoleError("more than one signature claims the whole file");
  const { at, range } = whole[0]!;
  const hole = checkRange(pdf, range);
  if (hole.start < lastEnd) throw new HoleError("the signature is not in the last revision", "tail");
  const object = checkDictionary(pdf, at, hole, hole.terms);
  checkEnd(pdf, hole);
  await checkUnreachable(pdf, object, hole);
  return hole;
}

/** covered returns the bytes that are hashed. */
export function covered(pdf: Uint8Array, h: Pick<Hole, "start" | "end">): Bytes {
  return concat(pdf.subarray(0, h.start), pdf.subarray(h.end));
}

function checkRange(pdf: Uint8Array, r: number[]): Hole {
  const [zero, start, end, rest] = r as [number, number, number, number];
  if (zero !== 0 || start <= 0 || end <= start || end + rest !== pdf.length) throw new HoleError("the byte range is not [0, a, b, end of file]", "tail");
  const zeros = end - start - 2;
  if (zeros < minZeros || zeros > maxZeros || zeros % 2 !== 0) throw new HoleError("the gap has not the size of a signature", "gap");
  if (pdf[start] !== 0x3c || pdf[end - 1] !== 0x3e) throw new HoleError("the gap is more than the signature's own string", "gap");
  for (let i = start + 1; i < end - 1; i++) {
    if (pdf[i] !== 0x30) throw new HoleError("the gap is not filled with zeros", "gap");
  }
  return { start, end, terms: {} };
}

// The keys that a signature needs. With others the dictionary could be, beside a
// signature, an annotation whose /Contents, the unprotected hole, is its text.
const signatureKeys = new Set(["Type", "Filter", "SubFilter", "Contents", "ByteRange", "M", "Name", "Reason", "Location", "ContactInfo", "Prop_Build", "Reference"]);

/**
 * checkDictionary reads the object around the hole: one dictionary with each
 * key once, with this ByteRange and, as its /Contents, exactly this hole. It
 * returns where the object begins.
 */
function checkDictionary(pdf: Uint8Array, rangeAt: number, h: Hole, terms: Terms): number {
  const { begin, open } = objectStart(pdf, Math.min(rangeAt, h.start));
  const seen = new Map<string, number>();
  let p = skip(pdf, open);
  if (ascii(pdf, p, 2) !== "<<") throw new HoleError("the signature is not a dictionary of its own");
  p = skip(pdf, p + 2);
  while (ascii(pdf, p, 2) !== ">>") {
    if (pdf[p] !== 0x2f) throw new HoleError("the signature dictionary cannot be read");
    const [name, after] = readName(pdf, p);
    if (!signatureKeys.has(name)) throw new HoleError(`the signature dictionary has a /${name.slice(0, 40)}`);
    if (seen.has(name)) throw new HoleError(`the signature dictionary has two /${name}`);
    const value = skip(pdf, after);
    seen.set(name, name === "ByteRange" ? p : value);
    const end = skipValue(pdf, value, 0);
    if (name === "Reference") Object.assign(terms, readTerms(ascii(pdf, value, Math.min(end - value, maxReference + 1))));
    p = skip(pdf, end);
  }
  p = skip(pdf, p + 2);
  if (ascii(pdf, p, 6) !== "endobj") throw new HoleError("the signature is not a plain object");
  if (seen.get("ByteRange") !== rangeAt || seen.get("Contents") !== h.start) throw new HoleError("the gap is not this signature's /Contents", "gap");
  return begin;
}

// /Reference gives a signature a meaning that the signer must be told. It is
// accepted in one spelling only, so that what is told is what every reader finds.
const maxReference = 65536;
const docMDP = String.raw`<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P ([123]) /V /1\.2 >> >>`;
const fieldMDP = String.raw`<< /Type /SigRef /TransformMethod /FieldMDP /Data \d{1,10} \d{1,5} R /TransformParams << /Type /TransformParams /V /1\.2 /Action /(All|Include|Exclude)(?: /Fields \[(?:\((?:[^()\\]|\\.)*\)|<[0-9A-F]*>| )+\])? >> >>`;
const reference = new RegExp(String.raw`^\[(?:${docMDP})?(?:${fieldMDP})?\]$`, "s");

function readTerms(text: string): Terms {
  const m = text.length > maxReference ? null : reference.exec(text);
  if (!m) throw new HoleError("the signature says something about later changes that cannot be read");
  return { ...(m[1] && { certifies: Number(m[1]) as 1 | 2 | 3 }), ...(m[2] && { locks: m[2] as "All" | "Include" | "Exclude" }) };
}

/** checkEnd: one more revision mark behind the hole, and it ends the file. */
function checkEnd(pdf: Uint8Array, h: Hole): void {
  const tail = ascii(pdf, Math.max(h.end, pdf.length - 64), 64);
  const m = /startxref[\r\n ]+(\d{1,15})[\r\n ]+%%EOF[\r\n]*$/.exec(tail);
  if (!m || Number(m[1]) >= pdf.length) throw new HoleError("the file does not end with its last revision", "tail");
}

/** byteRanges lists where a name /ByteRange stands, in whatever spelling. */
function* byteRanges(pdf: Uint8Array): Generator<number> {
  for (let i = pdf.indexOf(0x2f); i >= 0; i = pdf.indexOf(0x2f, i + 1)) {
    const c = pdf[i + 1];
    if (c !== 0x42 && c !== 0x23) continue; // "B" or an escape
    if (readName(pdf, i)[0] === "ByteRange") yield i;
  }
}

/** readRange reads four integers, or nothing when no array or reference follows. */
function readRange(pdf: Uint8Array, at: number): number[] | undefined {
  let p = skip(pdf, readName(pdf, at)[1]);
  if (pdf[p] !== 0x5b) {
    if (digit(pdf[p])) throw new HoleError("a byte range is not written in place");
    return undefined;
  }
  const out: number[] = [];
  for (p = skip(pdf, p + 1); pdf[p] !== 0x5d; p = skip(pdf, p)) {
    const m = /^\+?(\d{1,15})(?=[\0\t\n\f\r \]%]|$)/.exec(ascii(pdf, p, 20));
    if (!m || out.length === 4) throw new HoleError("a byte range is not four numbers");
    out.push(Number(m[1]));
    p += m[0].length;
  }
  if (out.length !== 4) throw new HoleError("a byte range is not four numbers");
  return out;
}

/** objectStart finds the last "N G obj" before the given place: its first byte and the one behind it. */
function objectStart(pdf: Uint8Array, before: number): { begin: number; open: number } {
  const from = Math.max(0, before - 65536);
  const text = ascii(pdf, from, before - from);
  let last: { begin: number; open: number } | undefined;
  for (const m of text.matchAll(/(?<=^|[\0\t\n\f\r ])\d{1,10}[\0\t\n\f\r ]+\d{1,5}[\0\t\n\f\r ]+obj(?![A-Za-z0-9])/g)) last = { begin: from + m.index, open: from + m.index + m[0].length };
  if (!last) throw new HoleError("the signature dictionary has no object");
  return last;
}

const maxNesting = 16;

/** skipValue returns the place behind one value. */
function skipValue(pdf: Uint8Array, p: number, depth: number): number {
  if (depth > maxNesting || p >= pdf.length) throw new HoleError("the signature dictionary cannot be read");
  const two = ascii(pdf, p, 2);
  if (two === "<<") return skipUntil(pdf, p + 2, ">>", depth);
  switch (two[0]) {
    case "[":
      return skipUntil(pdf, p + 1, "]", depth);
    case "/":
      return readName(pdf, p)[1];
    case "(":
      return skipLiteral(pdf, p);
    case "<": {
      const end = pdf.indexOf(0x3e, p);
      if (end < 0) throw new HoleError("the signature dictionary cannot be read");
      return end + 1;
    }
  }
  // A number, a keyword, or a reference "N G R".
  const m = /^(?:\d+[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+R(?![A-Za-z0-9])|[A-Za-z]+|[+-]?[0-9.]+)/.exec(ascii(pdf, p, 64));
  if (!m) throw new HoleError("the signature dictionary cannot be read");
  return p + m[0].length;
}

function skipUntil(pdf: Uint8Array, from: number, end: string, depth: number): number {
  let p = skip(pdf, from);
  while (ascii(pdf, p, end.length) !== end) p = skip(pdf, skipValue(pdf, p, depth + 1));
  return p + end.length;
}

function skipLiteral(pdf: Uint8Array, p: number): number {
  let open = 0;
  for (let i = p; i < pdf.length; i++) {
    if (pdf[i] === 0x5c) i++;
    else if (pdf[i] === 0x28) open++;
    else if (pdf[i] === 0x29 && --open === 0) return i + 1;
  }
  throw new HoleError("the signature dictionary cannot be read");
}

