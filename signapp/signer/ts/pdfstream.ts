// Finds the streams of a PDF and decodes those that the app must understand: object
// streams and cross-reference streams. It reads token by token, at every "obj" in the
// file, whatever stands around it: a reader that follows an offset can begin at any of
// them and nowhere else. What readers could take in two ways is refused, not guessed:
// whoever gets a refusal must not go on as if nothing had been found.

import { concat, type Bytes } from "./b64";
import { ascii, digit, find, readName, regular, skip, white } from "./bytes";

/** UnreadError says why a piece of PDF was not read. */
export class UnreadError extends Error {}

/** Entries are the own entries of a dictionary: where each value begins and ends. */
export interface Entries {
  values: Map<string, [number, number]>;
  twice: boolean; // a key stands there twice, and readers differ in which they take
  begin: number; // place of "<<"
  end: number; // place behind ">>"
}

/** StreamObject is a dictionary with the keyword "stream" behind it. */
export interface StreamObject {
  dict: Entries;
  keyword: number;
}

const maxDepth = 64;
const maxInflated = 64 << 20;
const maxPacked = 1 << 20; // objects in one object stream

/** maxUnpacked bounds all object streams together. */
export const maxUnpacked = 256 << 20;

/** streamObjects finds every object that a reader could take for a stream; it throws when a dictionary cannot be read. */
export function streamObjects(pdf: Uint8Array): StreamObject[] {
  const out: StreamObject[] = [];
  let work = 8 * pdf.length + 65536; // objects within objects are read more than once
  for (let p = find(pdf, "obj", 0); p >= 0; p = find(pdf, "obj", p + 3)) {
    const at = skip(pdf, p + 3);
    work -= at - p;
    if (ascii(pdf, at, 2) === "<<" && ascii(pdf, p - 3, 3) !== "end") {
      const dict = readEntries(pdf, at);
      const keyword = skip(pdf, dict.end);
      work -= keyword - at;
      if (ascii(pdf, keyword, 6) === "stream") out.push({ dict, keyword });
    }
    if (work < 0) throw new UnreadError("the document is nested too deeply to be checked");
  }
  return out;
}

/** isPacked tells whether a stream could be an object stream: forgiving readers ask for N and First only. */
export function isPacked(pdf: Uint8Array, { dict }: StreamObject): boolean {
  return nameOf(pdf, dict, "Type") === "ObjStm" || (dict.values.has("N") && dict.values.has("First"));
}

/** readIndex reads the head of an object stream: the number and place of each object. Other readers must find the same. */
export function readIndex(text: Uint8Array, n: number, first: number): [number, number][] {
  const words = ascii(text, 0, Math.min(first, 24 * maxPacked)).split(/[\0\t\n\f\r ]+/).filter((w) => w !== "");
  if (n > maxPacked || first > text.length || words.length !== 2 * n || words.some((w) => !/^\d{1,10}$/.test(w))) throw new UnreadError("the head of an object stream cannot be read");
  const numbers = new Set<number>();
  const out: [number, number][] = [];
  for (let i = 0, last = -1; i < words.length; i += 2) {
    const offset = Number(words[i + 1]);
    if (offset <= last || offset >= text.length - first) throw new UnreadError("an object stream can be read in two ways");
    last = offset;
    numbers.add(Number(words[i]));
    out.push([Number(words[i]), first + offset]);
  }
  if (numbers.size !== n) throw new UnreadError("an object stream can be read in two ways");
  return out;
}

/** readEntries reads the dictionary at "<<". */
export function readEntries(pdf: Uint8Array, at: number, depth = 0): Entries {
  const out: Entries = { values: new Map(), twice: false, begin: at, end: at };
  if (ascii(pdf, at, 2) !== "<<" || depth > maxDepth) throw new UnreadError("no dictionary");
  let p = skip(pdf, at + 2);
  while (pdf[p] !== 0x3e) {
    if (pdf[p] !== 0x2f) throw new UnreadError("a dictionary cannot be read");
    const [name, after] = readName(pdf, p);
    const from = skip(pdf, after);
    const to = behindValue(pdf, from, depth);
    out.twice ||= out.values.has(name);
    out.values.set(name, [from, to]);
    p = skip(pdf, to);
  }
  if (pdf[p + 1] !== 0x3e) throw new UnreadError("a dictionary cannot be read");
  out.end = p + 2;
  return out;
}

/** behindValue is the place behind the value at p. */
export function behindValue(pdf: Uint8Array, p: number, depth: number): number {
  switch (pdf[p]) {
    case 0x2f:
      return readName(pdf, p)[1];
    case 0x28:
      return behindString(pdf, p);
    case 0x5b: {
      if (depth > maxDepth) throw new UnreadError("an array cannot be read");
      for (p = skip(pdf, p + 1); pdf[p] !== 0x5d; p = skip(pdf, behindValue(pdf, p, depth + 1)));
      return p + 1;
    }
    case 0x3c: {
      if (pdf[p + 1] === 0x3c) return readEntries(pdf, p, depth + 1).end;
      for (p++; pdf[p] !== 0x3e; p++) {
        if (!white(pdf[p]) && !hexDigit(pdf[p])) throw new UnreadError("a string cannot be read");
      }
      return p + 1;
    }
  }
  const end = behindWord(pdf, p);
  if (!isNumeral(pdf, p, end) && !/^(?:true|false|null)$/.test(ascii(pdf, p, end - p))) throw new UnreadError("a value cannot be read");
  const generation = skip(pdf, end);
  if (!digit(pdf[generation])) return end;
  const r = skip(pdf, behindWord(pdf, generation));
  if (pdf[r] !== 0x52 || (r + 1 < pdf.length && regular(pdf[r + 1]!))) return end;
  return /^\d+$/.test(ascii(pdf, generation, Math.min(r - generation, 20)).trim()) ? r + 1 : end;
}

/** isNumeral tells a word of digits, signs and points. */
function isNumeral(pdf: Uint8Array, from: number, to: number): boolean {
  for (let p = from; p < to; p++) if (!digit(pdf[p]) && pdf[p] !== 0x2b && pdf[p] !== 0x2d && pdf[p] !== 0x2e) return false;
  return to > from;
}

function hexDigit(c: number | undefined): boolean {
  return digit(c) || (c !== undefined && (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66);
}

function behindWord(pdf: Uint8Array, p: number): number {
  const from = p;
  while (p < pdf.length && p - from < 64 && regular(pdf[p]!)) p++;
  return p;
}

/** behindString is the place behind the string in parentheses at from. */
export function behindString(pdf: Uint8Array, from: number): number {
  let open = 0;
  for (let p = from; p < pdf.length; p++) {
    if (pdf[p] === 0x5c) p++;
    else if (pdf[p] === 0x28) open++;
    else if (pdf[p] === 0x29 && --open === 0) return p + 1;
  }
  throw new UnreadError("a string cannot be read");
}

/** nameOf is the value of a key that is a name. */
export function nameOf(pdf: Uint8Array, d: Entries, key: string): string | undefined {
  const v = d.values.get(key);
  return v && pdf[v[0]] === 0x2f ? readName(pdf, v[0])[0] : undefined;
}

/** integerOf is the value of a key, which is an integer that stands in place. */
export function integerOf(pdf: Uint8Array, d: Entries, key: string): number {
  const v = d.values.get(key);
  const text = v && v[1] - v[0] <= 15 ? ascii(pdf, v[0], v[1] - v[0]) : "";
  if (!/^\d+$/.test(text)) throw new UnreadError(`an unusual /${key}`);
  return Number(text);
}

/** integersOf is the value of a key, which is an array of integers. */
export function integersOf(pdf: Uint8Array, d: Entries, key: string): number[] {
  const [from, to] = d.values.get(key) ?? [0, 0];
  const out: number[] = [];
  let p = from;
  for (p = skip(pdf, from + 1); p < to - 1; p = skip(pdf, p)) {
    const end = behindWord(pdf, p);
    const text = ascii(pdf, p, end - p);
    if (!/^\d{1,15}$/.test(text)) break;
    out.push(Number(text));
    p = end;
  }
  if (to === 0 || pdf[from] !== 0x5b || p !== to - 1) throw new UnreadError(`an unusual /${key}`);
  return out;
}

/** bodyOf is the data of a stream as it stands in the file: where every reader takes it to begin and end. */
export function bodyOf(pdf: Uint8Array, { dict, keyword }: StreamObject): Uint8Array {
  for (let p = dict.end; p < keyword; p++) {
    if (!white(pdf[p])) throw new UnreadError("a comment before a stream");
  }
  const line = /^(?:\n|\r\n)/.exec(ascii(pdf, keyword + 6, 2))?.[0];
  if (!line) throw new UnreadError("a stream begins in an unusual way");
  const data = keyword + 6 + line.length;
  const close = find(pdf, "endstream", data);
  if (close < 0 || dict.twice) throw new UnreadError("a stream cannot be read");
  const length = dict.values.get("Length");
  // Only a filter that knows its end makes a length that stands elsewhere of no account.
  if (length && dict.values.has("Filter") && /R$/.test(ascii(pdf, length[1] - 1, 1))) return pdf.subarray(data, close);
  const end = data + integerOf(pdf, dict, "Length");
  if (end > close) throw new UnreadError("a length that is wrong");
  for (let p = end; p < close; p++) {
    if (!white(pdf[p])) throw new UnreadError("a length that is wrong");
  }
  return pdf.subarray(data, end);
}

/**
 * decodeBody undoes the filter of a stream, FlateDecode or none. With partly it gives
 * what a forgiving reader has of data that is not whole.
 */
export async function decodeBody(pdf: Uint8Array, dict: Entries, body: Uint8Array, partly = false): Promise<Uint8Array> {
  const { values } = dict;
  // Readers take /F and /DP for short forms, or for a file.
  if (dict.twice || ["F", "DP", "FFilter", "FDecodeParms"].some((k) => values.has(k))) throw new UnreadError("a stream has an unusual form");
  const filter = values.get("Filter");
  const params = values.get("DecodeParms");
  if (!filter) {
    if (params) throw new UnreadError("a stream has an unusual form");
    return body;
  }
  const [at, listed] = only(pdf, filter);
  if (pdf[at] !== 0x2f || readName(pdf, at)[0] !== "FlateDecode") throw new UnreadError("a stream has an unusual form");
  const columns = params ? predicted(pdf, params, listed) : 0;
  const data = await inflate(body, partly);
  return columns > 0 ? unpredict(data, columns, partly) : data;
}

/** only is where a value stands, or the only one of an array. */
function only(pdf: Uint8Array, [from, to]: [number, number]): [number, boolean] {
  if (pdf[from] !== 0x5b) return [from, false];
  const at = skip(pdf, from + 1);
  if (at >= to - 1 || skip(pdf, behindValue(pdf, at, 0)) !== to - 1) throw new UnreadError("a stream has an unusual form");
  return [at, true];
}

/** predicted is the width of the rows of a PNG predictor, or 0 for none. */
function predicted(pdf: Uint8Array, params: [number, number], listed: boolean): number {
  const [at, array] = only(pdf, params);
  if (array !== listed) throw new UnreadError("a stream has an unusual form");
  if (ascii(pdf, at, 4) === "null") return 0;
  const d = readEntries(pdf, at);
  const number = (key: string) => (d.values.has(key) ? integerOf(pdf, d, key) : 1);
  const predictor = number("Predictor");
  const columns = number("Columns");
  const known = ["Predictor", "Columns", "Colors", "BitsPerComponent", "EarlyChange"];
  const wide = number("Colors") !== 1 || (d.values.has("BitsPerComponent") && number("BitsPerComponent") !== 8);
  if (d.twice || [...d.values.keys()].some((k) => !known.includes(k))) throw new UnreadError("a stream has an unusual form");
  if (predictor === 1) return 0;
  if (predictor < 10 || predictor > 15 || wide || columns < 1 || columns > 1 << 20) throw new UnreadError("a stream has an unusual form");
  return columns;
}

/** inflate undoes the compression; line ends before "endstream" may stand behind the data. */
async function inflate(body: Uint8Array, partly: boolean): Promise<Bytes> {
  const ends = /(?:\r?\n|\r)$/.exec(ascii(body, body.length - 2, 2))?.[0].length ?? 0;
  for (let less = 0; less <= ends; less++) {
    const { data, whole } = await tryInflate(body.subarray(0, body.length - less));
    if (whole ? data.length > 0 : partly) return data;
  }
  throw new UnreadError("a stream cannot be read");
}

async function tryInflate(body: Uint8Array): Promise<{ data: Bytes; whole: boolean }> {
  const z = new DecompressionStream("deflate");
  const writer = z.writable.getWriter();
  writer.write(concat(body)).then(() => writer.close()).catch(() => undefined);
  const parts: Uint8Array[] = [];
  let have = 0;
  const reader = z.readable.getReader();
  for (;;) {
    try {
      const { done, value } = await reader.read();
      if (done) return { data: concat(...parts), whole: true };
      have += value.length;
      parts.push(value);
    } catch {
      return { data: concat(...parts), whole: false };
    }
    if (have > maxInflated) throw new UnreadError("a stream is too large");
  }
}

/** unpredict undoes PNG row filters (RFC 2083 section 6) for one byte a sample. */
export function unpredict(data: Uint8Array, columns: number, partly: boolean): Uint8Array {
  const rows = Math.floor(data.length / (columns + 1));
  if (!partly && rows * (columns + 1) !== data.length) throw new UnreadError("a stream cannot be read");
  const out = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const type = data[r * (columns + 1)]!;
    for (let c = 0; c < columns; c++) {
      const a = c > 0 ? out[r * columns + c - 1]! : 0;
      const b = r > 0 ? out[(r - 1) * columns + c]! : 0;
      const d = r > 0 && c > 0 ? out[(r - 1) * columns + c - 1]! : 0;
      const add = [0, a, b, (a + b) >> 1, paeth(a, b, d)][type];
      if (add === undefined) throw new UnreadError("a stream cannot be read");
      out[r * columns + c] = data[r * (columns + 1) + 1 + c]! + add;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}
