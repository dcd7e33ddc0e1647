// ADE-04: where other readers would search a file for objects, or find others by that than its
// cross-reference lists, they may show another document than the signer sees. MuPDF, qpdf and
// pdf.js do so of the files below.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";
import { utf8, type Bytes } from "../b64";
import { listing } from "../pdfcensus";

const octets = (s: string): Bytes => Uint8Array.from(s, (c) => c.charCodeAt(0));
const line = (n: number, kind = "n") => `${String(n).padStart(10, "0")} ${kind === "n" ? "00000" : "65535"} ${kind} \n`;
const page = "3 0 obj\n<</Type/Page/Parent 2 0 R>>\nendobj\n";

interface Parts {
  hidden?: string; // between objects and table
  lines?: string; // further lines
  keys?: string; // of the trailer
  size?: number;
  gap?: string; // between the table and its trailer
  back?: number; // startxref leads so far in front of the table
  between?: string; // trailer and startxref
  end?: string;
}

/** pdf is a file of three objects and a table. */
function pdf({ hidden = "", lines = "", keys = "", size = 100, gap = "", back = 0, between = "", end = "" }: Parts = {}): Bytes {
  const head = "%PDF-1.7\n";
  const objects = ["1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n", "2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n", page];
  let out = head;
  const places = objects.map((o) => {
    out += o;
    return out.length - o.length;
  });
  out += hidden;
  const at = out.length - back;
  return octets(`${out}xref\n0 4\n${line(0, "f")}${places.map((p) => line(p)).join("")}${lines}${gap}trailer\n<</Root 1 0 R/Size ${size}${keys}>>\n${between}startxref\n${at}\n%%EOF\n${end}`);
}

/** packed is the same with a cross-reference stream; rows are further ones of objects 7, 8, ... */
function packed(rows: number[][] = [], keys = "", edit = (s: string) => s): Bytes {
  const objects = "%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\n5 0 obj\n<</Type/ObjStm/N 0/First 0/Length 0>>\nstream\n\nendstream\nendobj\n";
  const all = [[0, 0, 0, 255], [1, 0, 9, 0], [1, 0, objects.indexOf("2 0 obj"), 0], [2, 0, 5, 0], [2, 0, 5, 1], [1, 0, objects.indexOf("5 0 obj"), 0], [1, 0, objects.length, 0], ...rows];
  const data = String.fromCharCode(...deflateSync(octets(edit(all.flat().map((n) => String.fromCharCode(n)).join("")))));
  return octets(`${objects}6 0 obj\n<</Type/XRef/W[1 2 1]/Root 1 0 R/Size ${all.length}/Filter/FlateDecode/Length ${data.length}${keys}>>\nstream\n${data}\nendstream\nendobj\nstartxref\n${objects.length}\n%%EOF`);
}

const update = (p: Bytes, text: (prev: number, at: number) => string): Bytes => {
  const s = String.fromCharCode(...p);
  const prev = Number(/startxref\n(\d+)\n%%EOF\s*$/.exec(s)![1]);
  return octets(s + text(prev, s.length));
};
const newer = (o: string, more = "") => (prev: number, at: number) => `${o}xref\n3 1\n${line(at)}trailer\n<</Root 1 0 R/Size 100/Prev ${prev}${more}>>\nstartxref\n${at + o.length}\n%%EOF\n`;

/** linear is a file whose first object says how long it is, and behind which something else stands than at its end. */
function linear(length: (whole: number) => string, same = false): Bytes {
  const make = (n: string): Bytes => {
    const head = `%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R/Linearized 1/L ${n.padEnd(10)}>>\nendobj\n`;
    const two = "2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\n";
    const table = (place: number) => `xref\n0 3\n${line(0, "f")}${line(9)}${line(place)}trailer\n<</Root 1 0 R/Size 3>>\n`;
    const end = (at: number) => `startxref\n${at}\n%%EOF\n`;
    if (same) return octets(`${head}${table(head.length + table(0).length + end(0).length)}${end(0)}${two}${end(head.length)}`);
    return octets(`${head}${two}${table(head.length)}${end(head.length + two.length)}`);
  };
  return make(length(make("").length));
}

/** holding is a file with an object stream that holds some objects, of which one is listed. */
function holding(numbers: number[]): Bytes {
  const index = numbers.map((n, i) => `${n} ${5 * i} `).join("");
  const first = "%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\n";
  const o = `${first}5 0 obj\n<</Type/ObjStm/N ${numbers.length}/First ${index.length}/Length ${index.length + 5 * numbers.length}>>\nstream\n${index}${"null ".repeat(numbers.length)}\nendstream\nendobj\n`;
  const rows = [[0, 0, 0, 255], [1, 0, 9, 0], [1, 0, o.indexOf("2 0 obj"), 0], [2, 0, 5, 0], [0, 0, 0, 0], [1, 0, first.length, 0], [1, o.length >> 8, o.length & 255, 0]];
  return octets(`${o}6 0 obj\n<</Type/XRef/W[1 2 1]/Root 1 0 R/Size 7/Length 28>>\nstream\n${rows.flat().map((n) => String.fromCharCode(n)).join("")}\nendstream\nendobj\nstartxref\n${o.length}\n%%EOF`);
}

const replaced = (b: Bytes, old: string, by: string): Bytes => octets(String.fromCharCode(...b).replace(old, by));

const whole: Record<string, Bytes> = {
  "with a table": pdf(),
  "with a table, as MuPDF writes it": pdf({ gap: "\n" }),
  "with a table, as iText writes it": pdf({ between: "%iText-Core-8.0.1 pdfSweep-4.0\n%of a product\r" }),
  "with a table, blanks behind": pdf({ end: " \r\n" }),
  "with words that are none of objects": pdf({ hidden: "% an object, 7 objects, trailers\n% endobj\n" }),
  "with a free line in front of the trailer": pdf({ lines: "\n" }),
  "with a size that counts too few": pdf({ size: 2 }),
  "with long identifiers": pdf({ keys: "/ID[<00112233445566778899aabbccddeeff>(99999999999)]" }),
  "with an update": update(pdf(), newer(page)),
  "with a cross-reference stream": packed(),
  "with an object stream": holding([3]),
  "with another length than it says": linear(() => "99999"),
  "that is linearized": linear((n) => String(n), true),
  "with a key of a product": packed([], "/DocChecksum/00FF"),
  "with several parts of an index": packed([[1, 0, 9, 0]].slice(1), "/Index[0 3 3 4]"),
};

const odd: Record<string, Bytes> = {
  "an object that is not listed": pdf({ hidden: page }),
  "an object whose head has comments": pdf({ hidden: "3%1\n0 %\n%%\nobj <<>> endobj\n" }),
  "a trailer that is not listed": pdf({ hidden: "trailer\n<</Root 3 0 R>>\n" }),
  "an offset outside": pdf({ lines: `7 1\n${line(9999999990)}` }),
  "an offset to elsewhere": pdf({ lines: `7 1\n${line(20)}` }),
  "an offset into a number": update(pdf({ hidden: "%13 0 obj\n" }), (prev, at) => `xref\n3 1\n${line(String.fromCharCode(...pdf({ hidden: "%13 0 obj\n" })).indexOf("13 0 obj") + 1)}trailer\n<</Size 9/Prev ${prev}>>\nstartxref\n${at}\n%%EOF`),
  "a line of another length": pdf({ lines: "7 1\n20 0 f\n" }),
  "object 0 in use": pdf({ lines: `0 1\n${line(9)}` }),
  "a free line in the table": pdf({ lines: `\n7 1\n${line(0, "f")}` }),
  "listed twice": pdf({ lines: `3 1\n${line(9)}` }),
  "blanks before the table": pdf({ hidden: "  ", back: 2 }),
  "blanks behind the end": pdf({ end: "\n".repeat(2000) }),
  "a comment behind the end": pdf({ end: "%" }),
  "a size that is too small in an update": update(pdf(), (prev, at) => newer(page)(prev, at).replace("/Size 100", "/Size 3").replace("3 1\n", "2 1\n").replace(line(at), line(String.fromCharCode(...pdf()).indexOf("2 0 obj"))).replace(page, "")),
  "a size that is too large": pdf({ size: 9_000_000 }),
  "a number that is too large": pdf({ keys: "/X 99999999999" }),
  "a word behind a comment": pdf({ between: "%iText\rstream\n" }),
  "a word behind the trailer": pdf({ between: "stream\n" }),
  "a key twice": pdf({ keys: "/Prev 0/Prev 9" }),
  "a circle": update(pdf(), (_prev, at) => `xref\n0 1\n${line(0, "f")}trailer\n<</Size 9/Prev ${at}>>\nstartxref\n${at}\n%%EOF`),
  "an older object behind the newer one": update(update(pdf(), newer(page)), (prev, at) => `xref\n3 1\n${line(String.fromCharCode(...pdf()).indexOf("3 0 obj"))}trailer\n<</Size 9/Prev ${prev}>>\nstartxref\n${at}\n%%EOF`),
  "no end": utf8("%PDF-1.7\n"),
  "an object in a stream that is not there": packed([[2, 0, 99, 0]]),
  "an entry of another kind": packed([[3, 0, 0, 0]]),
  "an entry that leads elsewhere": packed([[1, 0, 10, 0]]),
  "a cross-reference stream that ends early": packed([], "", (s) => s.slice(0, -1)),
  "an index that ends early": packed([], "/Index[0 7 9]"),
  "an empty part of an index": packed([], "/Index[0 7 9 0]"),
  "a type of two bytes": replaced(packed(), "/W[1 2 1]", "/W[2 1 1]"),
  "four widths": replaced(packed(), "/W[1 2 1]", "/W[1 2 1 0]"),
  "parameters that are null": packed([], "/DecodeParms null"),
  "a head in lines": replaced(packed(), "6 0 obj", "6\n0\nobj"),
  "an object stream, too": packed([], "/N 0/First 0"),
  "a reference that is none": packed([], "/X 1 99999 R"),
  "a reference that is none, with a table": pdf({ keys: "/X 1 99999 R" }),
  "an older section of another kind": update(packed(), (prev, at) => `xref\n0 1\n${line(0, "f")}trailer\n<</Size 9/Prev ${prev}>>\nstartxref\n${at}\n%%EOF`),
  "a hidden section that is none": pdf({ keys: "/XRefStm 0" }),
  "an object stream that holds what is not listed": holding([3, 7]),
  "a linearized file of two beginnings": linear((n) => String(n)),
  "a length that is a real": linear((n) => `${n}.0`),
};

for (const [name, b] of Object.entries(whole)) {
  test(`ADE-04: a sound file ${name}`, async () => assert.ok(await listing(b)));
}
for (const [name, b] of Object.entries(odd)) {
  test(`ADE-04: a file in which others may find more: ${name}`, async () => assert.equal(await listing(b), undefined));
}
