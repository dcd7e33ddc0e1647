// ADE-04: pages that readers take for different ones are found by the app itself. The changes
// are those of the Go tests (internal/pdf/testdata/twofaced.json); here they are judged in a
// file with a table, in one with object streams, and in one for older readers, too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { test } from "node:test";
import type { Bytes } from "../b64";
import { listing } from "../pdfcensus";
import { twofaced } from "../pdfpages";

interface Change {
  name: string;
  old: string;
  new: string;
  object?: number; // of one object; otherwise of each of the first four
  also?: Change[];
}

const file = process.env["PAGE_VECTORS"];
if (!file) throw new Error("PAGE_VECTORS names no file");
const vectors = JSON.parse(readFileSync(file, "utf8")) as { objects: string[]; odd: Change[]; sound: Change[] };

const octets = (s: string): Bytes => Uint8Array.from(s, (c) => c.charCodeAt(0));
const latin = (b: Uint8Array): string => Array.from(b, (c) => String.fromCharCode(c)).join("");
const made = (c: Change, number: number, body: string): string =>
  (c.also ?? []).reduce((b, also) => made(also, number, b), (c.object ? number === c.object : number <= 4) ? body.replace(c.old, () => c.new) : body);
const bodies = (c: Change): string[] => vectors.objects.map((o, i) => made(c, i + 1, o));

/** Made is a file that is being written: its text, and where the objects stand. */
interface Made {
  text: string;
  places: Map<number, number>;
}

function write(objects: [number, string][]): Made {
  const m: Made = { text: "%PDF-1.7\n", places: new Map() };
  for (const [n, body] of objects) {
    m.places.set(n, m.text.length);
    m.text += `${n} 0 obj\n${body}\nendobj\n`;
  }
  return m;
}

const numbered = (list: string[]): [number, string][] => list.map((o, i) => [i + 1, o]);

/** lines are those of a table: of what is not in the file, as of what is free. */
function lines(m: Made, size: number): string {
  let out = `xref\n0 ${size}\n0000000000 65535 f \n`;
  for (let n = 1; n < size; n++) out += m.places.has(n) ? `${String(m.places.get(n)).padStart(10, "0")} 00000 n \n` : "0000000000 00000 f \n";
  return out;
}

function withTable(list: string[]): Bytes {
  const m = write(numbered(list));
  return octets(`${m.text}${lines(m, list.length + 1)}trailer\n<</Root 1 0 R/Size ${list.length + 1}>>\nstartxref\n${m.text.length}\n%%EOF\n`);
}

/** packed puts what is no stream into object stream 20, under a cross-reference stream 21. */
function packed(list: string[], edit = (rows: number[][]) => rows): { m: Made; at: number } {
  const inside = numbered(list).filter(([, o]) => !o.includes("stream"));
  const places: string[] = [];
  let data = "";
  for (const [n, o] of inside) {
    places.push(`${n} ${data.length} `);
    data += `${o} `;
  }
  const first = places.join("").length;
  const z = latin(deflateSync(octets(places.join("") + data)));
  const m = write([...numbered(list).filter(([, o]) => o.includes("stream")), [20, `<</Type/ObjStm/N ${inside.length}/First ${first}/Filter/FlateDecode/Length ${z.length}>>\nstream\n${z}\nendstream`]]);
  const at = m.text.length;
  m.places.set(21, at);
  const rows: number[][] = [];
  for (let n = 0; n < 22; n++) {
    const index = inside.findIndex(([k]) => k === n);
    const place = m.places.get(n);
    rows.push(index >= 0 ? [2, 0, 20, index] : place ? [1, place >> 8, place & 255, 0] : [0, 0, 0, 0]);
  }
  const x = edit(rows).flat().map((n) => String.fromCharCode(n)).join("");
  m.text += `21 0 obj\n<</Type/XRef/W[1 2 1]/Root 1 0 R/Size 22/Length ${x.length}>>\nstream\n${x}\nendstream\nendobj\n`;
  return { m, at };
}

function withStreams(list: string[], edit?: (rows: number[][]) => number[][]): Bytes {
  const { m, at } = packed(list, edit);
  return octets(`${m.text}startxref\n${at}\n%%EOF\n`);
}

/** hybrid lists for older readers as free what is in the object stream. */
function hybrid(list: string[]): Bytes {
  const { m, at } = packed(list);
  return octets(`${m.text}${lines(m, 22)}trailer\n<</Root 1 0 R/Size 22/XRefStm ${at}>>\nstartxref\n${m.text.length}\n%%EOF\n`);
}

/** judged is what the app says of a file that other readers find no fault with. */
async function judged(pdf: Bytes, name: string): Promise<boolean> {
  const listed = await listing(pdf);
  assert.ok(listed, `${name} is damaged`);
  return twofaced(pdf, listed!);
}

const forms: [string, (list: string[]) => Bytes][] = [["a table", withTable], ["object streams", withStreams], ["a table for older readers", hybrid]];

for (const [form, make] of forms) {
  test(`ADE-04: pages in a file with ${form}`, async () => {
    for (const c of vectors.odd) assert.equal(await judged(make(bodies(c)), c.name), true, c.name);
    for (const c of vectors.sound) assert.equal(await judged(make(bodies(c)), c.name), false, c.name);
  });
}

test("ADE-04: an object at another place of its stream", async () => {
  const swapped = (rows: number[][]) => rows.map((r, n) => (n === 7 ? rows[8]! : n === 8 ? rows[7]! : r)); // of the font and of the information
  const pages = (rows: number[][]) => rows.map((r, n) => (n === 3 ? rows[5]! : n === 5 ? rows[3]! : r));
  assert.equal(await judged(withStreams(vectors.objects, pages), "pages"), true);
  assert.equal(await judged(withStreams(vectors.objects, swapped), "others"), true);
});

test("ADE-04: objects in a stream that is not called an object stream", async () => {
  const untyped = withStreams(vectors.objects);
  const at = latin(untyped).indexOf("/Type/ObjStm");
  untyped.set(octets("/Kind"), at);
  assert.equal(await judged(untyped, "of another type"), true);
});

test("ADE-04: an empty object is null", async () => {
  assert.equal(await judged(withTable([...vectors.objects, ""]), "empty"), false);
});

test("ADE-04: the pages of the newest revision are looked at", async () => {
  const base = latin(withTable(vectors.objects));
  const update = (body: string): Bytes => {
    const at = base.length + body.length + 15;
    const prev = /startxref\n(\d+)/.exec(base)![1];
    return octets(`${base}2 0 obj\n${body}\nendobj\nxref\n2 1\n${String(base.length).padStart(10, "0")} 00000 n \ntrailer\n<</Root 1 0 R/Size 12/Prev ${prev}>>\nstartxref\n${at + 1}\n%%EOF\n`);
  };
  assert.equal(await judged(update(vectors.objects[1]!), "the same"), false);
  assert.equal(await judged(update(vectors.objects[1]!.replace("/Count 2", "/Count 3")), "another count"), true);
});

test("ADE-04: pages of a file with one octet changed are judged", async () => {
  for (const [, make] of forms) {
    const whole = make(vectors.objects);
    for (let i = 0; i < whole.length; i++) {
      const changed = whole.slice();
      changed[i] = 1 + ((changed[i]! * 31 + i) % 255);
      const listed = await listing(changed);
      assert.ok(!listed || typeof (await twofaced(changed, listed)) === "boolean"); // it does not throw
    }
  }
});

// What takes more time than the file is large counts as not looked through: one content that is
// long and that many pages name, nodes that are deep, a dictionary that is.
test("ADE-04: pages that are costly to read", async () => {
  const [catalog] = vectors.objects;
  const tree = (n: number, page: (n: number) => string, more: string[] = []): string[] => [
    catalog!,
    `<</Type/Pages/MediaBox[0 0 9 9]/Count ${n}/Kids[${Array.from({ length: n }, (_, i) => `${4 + i} 0 R`).join(" ")}]>>`,
    `<</Length 0/X[${"0 ".repeat(100_000)}]>>\nstream\n\nendstream`,
    ...Array.from({ length: n }, (_, i) => page(i)),
    ...more,
  ];
  const one = "<</Type/Page/Parent 2 0 R/Contents 3 0 R>>";
  const many = "<</Type/Page/Parent 2 0 R/Contents 1004 0 R>>";
  assert.equal(await judged(withTable(tree(1000, () => one)), "one content"), false);
  assert.equal(await judged(withTable(tree(1000, () => many, [`[${"3 0 R ".repeat(20_000)}]`])), "many contents"), false);
  const filtered = (i: number) => (i % 2 === 0 ? `<</Type/Page/Parent 2 0 R/Contents ${5 + i} 0 R>>` : "<</Length 0/Filter 2004 0 R>>\nstream\n\nendstream");
  const half = tree(2000, filtered, [`[${"/LZWDecode ".repeat(20_000)}]`]);
  half[1] = `<</Type/Pages/MediaBox[0 0 9 9]/Count 1000/Kids[${Array.from({ length: 1000 }, (_, i) => `${4 + 2 * i} 0 R`).join(" ")}]>>`;
  let breaks = 0;
  const clicks = setInterval(() => breaks++, 0);
  assert.equal(await judged(withTable(half), "many filters"), true);
  clearInterval(clicks);
  assert.ok(breaks > 2, `the signer's clicks were let through ${breaks} times`);
  const z = latin(deflateSync(octets("\x80" + " ".repeat(24 << 20))));
  const bomb = tree(100, (i) => `<</Type/Page/Parent 2 0 R/Contents[${"3 0 R ".repeat(i + 1)}]>>`);
  bomb[2] = `<</Filter[/FlateDecode/RunLengthDecode]/Length ${z.length}>>\nstream\n${z}\nendstream`;
  assert.equal(await judged(withTable(bomb), "what the next filter throws away"), true);
  const deep = (n: number) => [catalog!, ...Array.from({ length: n }, (_, i) => `<</Type/Pages/MediaBox[0 0 9 9]/Count 1/Kids[${i + 3} 0 R]${i > 0 ? `/Parent ${i + 1} 0 R` : ""}>>`), `<</Type/Page/Parent ${n + 1} 0 R>>`];
  assert.equal(await judged(withTable(deep(150)), "deep"), false);
  assert.equal(await judged(withTable(deep(300)), "too deep"), true);
  const nested = (n: number) => `<</Type/Page/Parent 2 0 R/X ${"[<</Y ".repeat(n)}0${">>]".repeat(n)}>>`;
  assert.equal(await judged(withTable(tree(1, () => nested(10))), "nested"), false);
  assert.equal(await judged(withTable(tree(1, () => nested(40))), "nested too deeply"), true);
});
