// Design step 3: the hole is found, not believed. Wide gap, tail behind the
// range, second range, other /Contents: each is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8, type Bytes } from "../b64";
import { covered, findHole, HoleError } from "../pdfhole";

interface Parts {
  before?: string;
  dict?: (range: string, contents: string) => string;
  contents?: string;
  after?: string;
  tail?: string;
  range?: (a: number, b: number, c: number) => number[];
}

const zeros = "0".repeat(200);

/** pdf writes a prepared file with correct offsets, then what the case changes. */
function pdf(p: Parts = {}): { bytes: Bytes; start: number; end: number } {
  const head = (p.before ?? "%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\nstartxref\n9\n%%EOF\n") + "7 0 obj\n";
  const contents = p.contents ?? `<${zeros}>`;
  const dict = p.dict ?? ((r, c) => `<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(D:20270101)/ByteRange ${r}/Contents ${c}/Prop_Build<</App<</Name/Assent>>>>>>`);
  const after = (p.after ?? "\nendobj\nxref\n0 1\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n");
  const slot = " ".repeat(44);
  const draft = head + dict("[" + slot + "]", contents) + after;
  const start = draft.indexOf(contents);
  const end = start + contents.length;
  const numbers = (p.range ?? ((a, b, c) => [0, a, b, c]))(start, end, draft.length - end);
  const text = draft.replace(slot, numbers.join(" ").padEnd(44)) + (p.tail ?? "");
  return { bytes: utf8(text), start, end };
}

const refused = (p: Parts, why: RegExp) => assert.rejects(findHole(pdf(p).bytes), why);

test("a properly prepared file: the hole and what is covered", async () => {
  const { bytes, start, end } = pdf();
  assert.deepEqual(await findHole(bytes), { start, end, terms: {} });
  assert.equal(covered(bytes, { start, end }).length, bytes.length - (end - start));
});

test("an earlier signature below the last one is no obstacle", async () => {
  const earlier = "%PDF-1.7\n5 0 obj\n<</Type/Sig/ByteRange[0 20 40 30]/Contents<00>>>\nendobj\nstartxref\n9\n%%EOF\n";
  await findHole(pdf({ before: earlier }).bytes);
});

test("wide gap: other bytes could be put in later", async () => {
  await refused({ range: (a, b, c) => [0, a - 1, b, c] }, /gap|string/);
  await refused({ range: (a, b, c) => [0, a, b + 2, c - 2] }, /gap|string/);
  await refused({ range: (a, b, c) => [0, a - 10, b + 10, c - 10] }, /gap|string/);
});

test("bytes behind the range: a tail could replace a page", async () => {
  await refused({ tail: "2 0 obj\n<</Type/Page>>\nendobj\nstartxref\n9\n%%EOF\n" }, /last byte/);
  await refused({ range: (a, b, c) => [0, a, b, c - 1] }, /last byte/);
  await refused({ range: (a, b, c) => [0, a, b, c + 1] }, /end of file/);
});

test("the range begins with the first byte", async () => {
  await refused({ range: (a, b, c) => [1, a - 1, b, c] }, /end of file|\[0, a, b/);
});

test("the gap is zeros in angle brackets, of a signature's size, even", async () => {
  await refused({ contents: `<${"0".repeat(198)}ff>` }, /zeros/);
  await refused({ contents: `(${zeros})` }, /string/);
  await refused({ contents: `<${"0".repeat(201)}>` }, /size/);
  await refused({ contents: "<0000>" }, /size/);
});

test("two dictionaries that both claim the whole file", async () => {
  await refused({ dict: (r, c) => `<</Other<</ByteRange ${r}>>/ByteRange ${r.replace(/ (?=\])/, " ")}/Contents ${c}>>` }, /more than one|four numbers/);
  const { bytes, start, end } = pdf();
  const rest = bytes.length - end;
  const decoy = `%PDF-1.7\n3 0 obj\n<</Type/Sig/#42yte#52ange[0 ${start} ${end} ${rest + 999999}]/Contents<00>>>\nendobj\nstartxref\n9\n%%EOF\n`;
  await refused({ before: decoy }, /more than one/);
});

test("the gap belongs to the same dictionary as the range", async () => {
  await refused({ dict: (r, c) => `<</Type/Sig/ByteRange ${r}/Contents<00>/Other ${c}>>` }, /\/Other/);
  await refused({ dict: (r, c) => `<</Type/Sig/Prop_Build<</ByteRange ${r}>>/Contents ${c}>>` }, /Contents/);
  await refused({ dict: (r, c) => `<</Type/Sig/Contents<00>/ByteRange ${r}/Contents ${c}>>` }, /two \/Contents/);
});

test("a byte range that is not written in place, or not four numbers", async () => {
  await refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange 4 0 R>>\nendobj\nstartxref\n9\n%%EOF\n" }, /in place/);
  await refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange[0 1 2]>>\nendobj\nstartxref\n9\n%%EOF\n" }, /four/);
  await refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange[0 -1 2 3]>>\nendobj\nstartxref\n9\n%%EOF\n" }, /four/);
});

test("files that are no prepared PDF", async () => {
  await assert.rejects(findHole(utf8("")), /begin/);
  await assert.rejects(findHole(utf8("hello")), /begin/);
  await assert.rejects(findHole(utf8("%PDF-1.7\nnothing here\n%%EOF\n")), /covers/);
  // Its own code for what could be filled in later, and for what could be added behind.
  const { bytes, start, end } = pdf();
  const filled = bytes.slice();
  filled[start + 5] = 0x66;
  const code = (b: Bytes) => findHole(b).then(() => "", (e: unknown) => (e instanceof HoleError ? e.code : String(e)));
  assert.equal(await code(filled), "gap");
  assert.equal(await code(concat(bytes, utf8("\n4 0 obj\n<<>>\nendobj\n"))), "tail");
  assert.equal(await code(bytes.slice(0, end)), "tail");
  await refused({ after: "\nendobj\nno end" }, /last revision/);
});

test("every cut or single changed byte near the signature is refused or finds the same hole", async () => {
  const { bytes, start, end } = pdf();
  for (let n = 0; n < bytes.length; n++) await assert.rejects(findHole(bytes.slice(0, n)), /./);
  for (let i = start - 300 < 0 ? 0 : start - 300; i < bytes.length; i++) {
    for (const flip of [1, 0x20, 0x80]) {
      const b = bytes.slice();
      b[i]! ^= flip;
      try {
        assert.deepEqual(await findHole(b), { start, end, terms: {} });
      } catch (e) {
        assert.ok(e instanceof HoleError, String(e));
      }
    }
  }
});

const stream = (length: string, more = "") => `%PDF-1.7\n3 0 obj\n<</Length ${length}>>\nstream\nBT ET\nendstream\nendobj\n${more}startxref\n9\n%%EOF\n`;

test("a stream that runs over the hole shows what is written there", async () => {
  await findHole(pdf({ before: stream("5") }).bytes);
  await refused({ before: stream("400") }, /runs over/);
  await refused({ before: stream("9 0 R", "9 0 obj\n400\nendobj\n") }, /runs over/);
  await findHole(pdf({ before: stream("9 0 R", "9 0 obj\n5\nendobj\n") }).bytes);
  await refused({ before: "%PDF-1.7\n3 0 obj\n<</L#65ngth 400>>\nstream\nBT\nendstream\nendobj\n%%EOF\n" }, /runs over/);
  await refused({ before: "%PDF-1.7\n3 0 obj\n<</Length 4>>\nstream\nBT ET\n" }, /runs over/);
});

const entry = (n: number) => String(n).padStart(10, "0") + " 00000 n \n";

test("a cross-reference into the hole lets an object grow there", async () => {
  const { start } = pdf();
  const table = (n: number) => `\nendobj\nxref\n0 1\n${entry(n)}trailer\n<<>>\nstartxref\n9\n%%EOF\n`;
  await findHole(pdf({ after: table(9) }).bytes);
  await refused({ after: table(start + 20) }, /points into/);
  await refused({ after: `\nendobj\nxref\n0 1\ntrailer\n<</Prev ${start + 20}>>\nstartxref\n9\n%%EOF\n` }, /points into/);
  await refused({ after: `\nendobj\nxref\n0 1\ntrailer\n<<>>\nstartxref\n${start + 20}\n%%EOF\n` }, /points into/);
  const rows = (n: number) => `\nendobj\n8 0 obj\n<</Type/XRef/W[1 2 1]/Size 2/Length 4>>\nstream\n\x01${String.fromCharCode(n >> 8)}${String.fromCharCode(n & 127)}\x00\nendstream\nendobj\nstartxref\n9\n%%EOF\n`;
  await findHole(pdf({ after: rows(9) }).bytes);
  let inside = start + 1; // a place that two ASCII bytes can name
  while ((inside & 255) > 127) inside++;
  await refused({ after: rows(inside) }, /points into/);
});
