// The form of what leads to the objects of a PDF, beyond what is needed to read it: readers
// that find it unusual search the file, or begin elsewhere. internal/pdf has the same rules
// (censusform.go).

import { ascii, find, skip, white } from "./bytes";
import { integersOf, readEntries, UnreadError, type Entries } from "./pdfstream";

const foreignKeys = ["XRefStm", "N", "First", "Extends", "Linearized"]; // they make something else of a cross-reference stream
const maxObject = 8_388_608; // ISO 32000-1, annex C
const linearizedAt = 9; // PDFium reads on from there, whatever stands in front

/** plainStream tells whether a cross-reference stream is of the one form that all readers know. */
export function plainStream(pdf: Uint8Array, at: number, dict: Entries): boolean {
  if (!/^\d{1,10} \d{1,5} obj/.test(ascii(pdf, at, 24)) || foreignKeys.some((k) => dict.values.has(k))) return false;
  const w = integersOf(pdf, dict, "W");
  const index = dict.values.has("Index") ? integersOf(pdf, dict, "Index") : [];
  const parms = dict.values.get("DecodeParms");
  const none = parms && /^\[?[\0\t\n\f\r ]*null/.test(ascii(pdf, parms[0], 64)); // some readers fail at that
  return w.length === 3 && w[0]! <= 1 && index.length % 2 === 0 && !index.some((n, i) => i % 2 === 1 && n === 0) && !none;
}

/** nameable tells whether all references in a text without strings can name an object. */
export function nameable(text: string): boolean {
  return [...text.matchAll(/(\d+)[\0\t\n\f\r ]+(\d+)[\0\t\n\f\r ]+R(?![^\0\t\n\f\r ()<>[\]{}/%])/g)].every((m) => Number(m[1]) > 0 && Number(m[1]) <= maxObject && Number(m[2]) <= 65535);
}

/**
 * sameBeginning tells whether a file that is linearized begins with the cross-reference that it
 * ends with, at newest. pdf.js, Poppler and PDFium take it for linearized if it is as long as
 * its first object says, and begin with what stands behind that.
 */
export function sameBeginning(pdf: Uint8Array, newest: number): boolean {
  return beginnings.every((from) => {
    const dict = linearization(pdf, from);
    if (dict === undefined) return true;
    const length = lengthOf(pdf, dict);
    if (length === undefined) return false;
    if (length !== pdf.length) return true;
    const end = find(pdf, "endobj", from);
    return end >= 0 && behindSpace(pdf, end + 6) === behindSpace(pdf, newest);
  });
}

const beginnings = [0, linearizedAt];

/** linearized are the dictionaries by which readers take a file for linearized. */
export function linearized(pdf: Uint8Array): Entries[] {
  return beginnings.map((from) => linearization(pdf, from)).filter((dict) => dict !== undefined && lengthOf(pdf, dict) === pdf.length) as Entries[];
}

/** lengthOf is what the first object says of the length of the file, undefined if it says none in a plain way. */
function lengthOf(pdf: Uint8Array, dict: Entries): number | undefined {
  const [p, end] = dict.values.get("L") ?? [0, 0];
  const text = dict.twice ? "" : ascii(pdf, p, Math.min(end - p, 20));
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** linearization is the first object, where that calls itself one of a linearized file. */
function linearization(pdf: Uint8Array, from: number): Entries | undefined {
  const at = skip(pdf, from);
  const gen = /^\d{1,10}/.exec(ascii(pdf, at, 10));
  if (!gen) return undefined;
  const word = skip(pdf, at + gen[0].length);
  const second = /^\d{1,10}/.exec(ascii(pdf, word, 10));
  const obj = second ? skip(pdf, word + second[0].length) : 0;
  if (!second || ascii(pdf, obj, 3) !== "obj") return undefined;
  const begin = skip(pdf, obj + 3);
  if (ascii(pdf, begin, 2) !== "<<") return undefined;
  try {
    const dict = readEntries(pdf, begin);
    return dict.values.has("Linearized") ? dict : undefined;
  } catch (e) {
    if (e instanceof UnreadError) return undefined; // it is looked at as an object of the file
    throw e;
  }
}

function behindSpace(pdf: Uint8Array, p: number): number {
  while (p < pdf.length && white(pdf[p])) p++;
  return p;
}
