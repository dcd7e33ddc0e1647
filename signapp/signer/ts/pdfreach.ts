// Makes sure that nothing else in the file reads what will be written into the
// hole: no stream before it that runs over it, no cross-reference that points
// into it. Else whoever fills the hole could choose bytes that the signature
// does not protect but a reader shows.

import { concat } from "./b64";
import { ascii, digit, find, readName, skip, unescapeNames, white } from "./bytes";
import { HoleError, type Hole } from "./pdfhole";
import { checkObjects } from "./pdfobjects";

const maxInflated = 64 << 20;
const WS = "[\\0\\t\\n\\f\\r ]";

/** checkUnreachable refuses readers of [from, hole.end), from being the signature's object. */
export async function checkUnreachable(pdf: Uint8Array, from: number, hole: Hole): Promise<void> {
  checkObjects(pdf, from, hole.end);
  checkTables(pdf, from, hole);
  await checkXRefStreams(pdf, from, hole);
}

export interface Stream {
  dict: string; // the text before the keyword, from the last "obj"
  data: number; // offset of the first byte
  end: number; // offset of the next "endstream", or the file's length
}

/** streams lists what looks like a stream object. */
export function* streams(pdf: Uint8Array): Generator<Stream> {
  for (let p = find(pdf, "stream", 0); p >= 0; p = find(pdf, "stream", p + 6)) {
    if (ascii(pdf, p - 3, 3) === "end" || (pdf[p + 6] !== 10 && pdf[p + 6] !== 13)) continue;
    let q = p - 1;
    while (q > 0 && white(pdf[q])) q--;
    if (ascii(pdf, q - 1, 2) !== ">>") continue;
    const near = Math.max(0, p - 16384);
    const before = ascii(pdf, near, p - near);
    const data = p + 6 + (pdf[p + 6] === 13 && pdf[p + 7] === 10 ? 2 : 1);
    const end = find(pdf, "endstream", data);
    yield { dict: unescapeNames(before.slice(before.lastIndexOf("obj") + 3)), data, end: end < 0 ? pdf.length : end };
  }
}

/** checkTables looks at classic tables and at every offset that leads to one. */
function checkTables(pdf: Uint8Array, from: number, hole: Hole): void {
  const inside = (n: number) => n > from && n < hole.end;
  const bad = () => {
    throw new HoleError("a cross-reference points into the place of the signature");
  };
  for (let p = find(pdf, "xref", 0); p >= 0; p = find(pdf, "xref", p + 4)) {
    if (ascii(pdf, p - 5, 5) === "start") {
      const m = /^\+?(\d+)/.exec(ascii(pdf, skip(pdf, p + 4), 40));
      if (m && inside(Number(m[1]))) bad();
      continue;
    }
    if (!digit(pdf[skip(pdf, p + 4)])) continue; // a word in a text
    const end = find(pdf, "trailer", p);
    const table = ascii(pdf, p + 4, (end < 0 ? pdf.length : end) - p - 4);
    if (/[^\d\0\t\n\f\r nf]/.test(table)) throw new HoleError("a cross-reference table cannot be read");
    for (const m of table.matchAll(/(\d+)[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]*n/g)) {
      if (inside(Number(m[1]))) bad();
    }
  }
  // A reference is looked at too: forgiving readers take its number for an offset.
  for (let p = pdf.indexOf(0x2f); p >= 0; p = pdf.indexOf(0x2f, p + 1)) {
    if (pdf[p + 1] !== 0x50 && pdf[p + 1] !== 0x58 && pdf[p + 1] !== 0x23) continue; // "P", "X" or an escape
    const [name, after] = readName(pdf, p);
    if (name !== "Prev" && name !== "XRefStm") continue;
    const m = /^\+?(\d+)/.exec(ascii(pdf, skip(pdf, after), 40));
    if (m && inside(Number(m[1]))) bad();
  }
}

/** checkXRefStreams decodes cross-reference streams and looks at their offsets. */
async function checkXRefStreams(pdf: Uint8Array, from: number, hole: Hole): Promise<void> {
  for (const s of streams(pdf)) {
    if (!new RegExp(`/Type${WS}*/XRef(?![A-Za-z])`).test(s.dict)) continue;
    const w = numbersOf(s.dict, "W");
    if (w.length < 3 || w.some((n) => n > 8)) throw new HoleError("a cross-reference stream cannot be read");
    const rows = await decodeStream(pdf.subarray(s.data, s.end), s.dict);
    const width = w[0]! + w[1]! + w[2]!;
    for (let at = 0; at + width <= rows.length; at += width) {
      const type = w[0] === 0 ? 1 : field(rows, at, w[0]!);
      const offset = field(rows, at + w[0]!, w[1]!);
      if (type === 1 && offset > from && offset < hole.end) throw new HoleError("a cross-reference points into the place of the signature");
    }
  }
}

function numbersOf(dict: string, key: string): number[] {
  const m = new RegExp(`/${key}${WS}*\\[([0-9\\0\\t\\n\\f\\r ]*)\\]`).exec(dict);
  return m ? (m[1]!.match(/\d+/g) ?? []).map(Number) : [];
}

function field(b: Uint8Array, at: number, width: number): number {
  let n = 0;
  for (let i = 0; i < width; i++) n = n * 256 + b[at + i]!;
  return n;
}

/** decodeStream undoes FlateDecode and a PNG predictor; other filters are refused. */
export async function decodeStream(body: Uint8Array, dict: string): Promise<Uint8Array> {
  const filter = new RegExp(`/Filter${WS}*\\[?${WS}*/([A-Za-z0-9]+)`).exec(dict)?.[1];
  if (filter === undefined) return body;
  if (filter !== "FlateDecode" && filter !== "Fl") throw new HoleError("a cross-reference stream has an unusual form");
  const data = await inflate(body);
  const number = (key: string, otherwise: number) => Number(new RegExp(`/${key}${WS}+(\\d{1,6})`).exec(dict)?.[1] ?? otherwise);
  if (number("Predictor", 1) < 10) return data;
  return unpredict(data, number("Columns", 1));
}

async function inflate(body: Uint8Array): Promise<Uint8Array> {
  const z = new DecompressionStream("deflate");
  const writer = z.writable.getWriter();
  // Line ends before "endstream" are behind the data; what was read before an
  // error of trailing bytes is complete.
  writer.write(concat(body)).then(() => writer.close()).catch(() => undefined);
  const parts: Uint8Array[] = [];
  let have = 0;
  const reader = z.readable.getReader();
  for (;;) {
    try {
      const { done, value } = await reader.read();
      if (done) break;
      have += value.length;
      parts.push(value);
    } catch {
      break;
    }
    if (have > maxInflated) throw new HoleError("a cross-reference stream is too large");
  }
  if (have === 0) throw new HoleError("a cross-reference stream cannot be read");
  return concat(...parts);
}

/** unpredict undoes PNG row filters (RFC 2083 section 6) for one byte a sample. */
function unpredict(data: Uint8Array, columns: number): Uint8Array {
  const rows = Math.floor(data.length / (columns + 1));
  const out = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const type = data[r * (columns + 1)]!;
    for (let c = 0; c < columns; c++) {
      const a = c > 0 ? out[r * columns + c - 1]! : 0;
      const b = r > 0 ? out[(r - 1) * columns + c]! : 0;
      const d = r > 0 && c > 0 ? out[(r - 1) * columns + c - 1]! : 0;
      const add = [0, a, b, (a + b) >> 1, paeth(a, b, d)][type];
      if (add === undefined) throw new HoleError("a cross-reference stream cannot be read");
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

