// Makes sure that nothing else in the file reads what will be written into the
// hole: no stream before it that runs over it, no cross-reference that points
// into it. Else whoever fills the hole could choose bytes that the signature
// does not protect but a reader shows.

import { ascii, find, readName, skip } from "./bytes";
import { HoleError, type Hole } from "./pdfhole";
import { checkObjects, packedNumbers } from "./pdfobjects";
import { bodyOf, decodeBody, integerOf, integersOf, maxUnpacked, nameOf, readEntries, streamObjects, UnreadError, type Entries } from "./pdfstream";

/** checkUnreachable refuses readers of [from, hole.end), from being the signature's object. */
export async function checkUnreachable(pdf: Uint8Array, from: number, hole: Hole): Promise<void> {
  const packed = await packedNumbers(pdf).catch((e) => {
    if (e instanceof UnreadError) return undefined;
    throw e;
  });
  checkObjects(pdf, from, hole.end, packed);
  checkTables(pdf, from, hole);
  try {
    checkTrailers(pdf);
    await checkXRefStreams(pdf, from, hole);
  } catch (e) {
    if (e instanceof UnreadError) throw new HoleError(`a cross-reference cannot be read: ${e.message}`);
    throw e;
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
    if (!/^[+.\0\t\n\f\r -]*\d/.test(ascii(pdf, skip(pdf, p + 4), 40))) continue; // a word in a text
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

/** checkXRefStreams decodes what a reader could take for a cross-reference stream, whatever its /Type, and looks at its offsets. */
async function checkXRefStreams(pdf: Uint8Array, from: number, hole: Hole): Promise<void> {
  const inside = (n: number) => n > from && n < hole.end;
  let unpacked = 0;
  for (const s of streamObjects(pdf)) {
    const { values } = s.dict;
    if (!values.has("W") && nameOf(pdf, s.dict, "Type") !== "XRef" && !(values.has("Size") && values.has("Index"))) continue;
    checkNext(pdf, s.dict);
    const w = integersOf(pdf, s.dict, "W");
    const [type, offset, generation] = w as [number, number, number];
    const width = type + offset + generation;
    if (w.length !== 3 || width === 0 || type > 4 || offset > 8 || generation > 8) throw new UnreadError("unusual widths");
    const rows = await decodeBody(pdf, s.dict, bodyOf(pdf, s));
    if ((unpacked += rows.length) > maxUnpacked) throw new UnreadError("too many cross-reference streams");
    for (let at = 0; at + width <= rows.length; at += width) {
      const kind = type === 0 ? 1 : field(rows, at, type);
      if (kind === 0 || kind === 2) continue;
      const n = field(rows, at + type, offset);
      if (inside(n) || inside(n % 2 ** 32)) throw new HoleError("a cross-reference points into the place of the signature");
    }
  }
}

/** checkTrailers looks at where trailers lead: to offsets that stand in place, since a reader would follow a reference to one. */
function checkTrailers(pdf: Uint8Array): void {
  let work = 8 * pdf.length + 65536; // one can stand in a string of another
  for (let p = find(pdf, "trailer", 0); p >= 0; p = find(pdf, "trailer", p + 7)) {
    const at = skip(pdf, p + 7);
    const dict = ascii(pdf, at, 2) === "<<" ? readEntries(pdf, at) : undefined;
    if (dict) checkNext(pdf, dict);
    if ((work -= (dict?.end ?? at) - p) < 0) throw new UnreadError("the document is nested too deeply to be checked");
  }
}

/** checkNext makes sure that the offsets of other cross-references are numbers; checkTables has looked at these. */
function checkNext(pdf: Uint8Array, dict: Entries): void {
  for (const key of ["Prev", "XRefStm"]) {
    if (dict.values.has(key)) integerOf(pdf, dict, key);
  }
}

function field(b: Uint8Array, at: number, width: number): number {
  let n = 0;
  for (let i = 0; i < width; i++) n = n * 256 + b[at + i]!;
  return n;
}
