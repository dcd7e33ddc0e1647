// Design step 3: the hole is found, not believed. Wide gap, tail behind the
// range, second range, other /Contents: each is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8, type Bytes } from "../b64";
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

const refused = (p: Parts, why: RegExp) => assert.throws(() => findHole(pdf(p).bytes), why);

test("a properly prepared file: the hole and what is covered", () => {
  const { bytes, start, end } = pdf();
  assert.deepEqual(findHole(bytes), { start, end });
  assert.equal(covered(bytes, { start, end }).length, bytes.length - (end - start));
});

test("an earlier signature below the last one is no obstacle", () => {
  const earlier = "%PDF-1.7\n5 0 obj\n<</Type/Sig/ByteRange[0 20 40 30]/Contents<00>>>\nendobj\nstartxref\n9\n%%EOF\n";
  findHole(pdf({ before: earlier }).bytes);
});

test("wide gap: other bytes could be put in later", () => {
  refused({ range: (a, b, c) => [0, a - 1, b, c] }, /gap|string/);
  refused({ range: (a, b, c) => [0, a, b + 2, c - 2] }, /gap|string/);
  refused({ range: (a, b, c) => [0, a - 10, b + 10, c - 10] }, /gap|string/);
});

test("bytes behind the range: a tail could replace a page", () => {
  refused({ tail: "2 0 obj\n<</Type/Page>>\nendobj\nstartxref\n9\n%%EOF\n" }, /last byte/);
  refused({ range: (a, b, c) => [0, a, b, c - 1] }, /last byte/);
  refused({ range: (a, b, c) => [0, a, b, c + 1] }, /end of file/);
});

test("the range begins with the first byte", () => {
  refused({ range: (a, b, c) => [1, a - 1, b, c] }, /end of file|\[0, a, b/);
});

test("the gap is zeros in angle brackets, of a signature's size, even", () => {
  refused({ contents: `<${"0".repeat(198)}ff>` }, /zeros/);
  refused({ contents: `(${zeros})` }, /string/);
  refused({ contents: `<${"0".repeat(201)}>` }, /size/);
  refused({ contents: "<0000>" }, /size/);
});

test("two dictionaries that both claim the whole file", () => {
  refused({ dict: (r, c) => `<</Other<</ByteRange ${r}>>/ByteRange ${r.replace(/ (?=\])/, " ")}/Contents ${c}>>` }, /more than one|four numbers/);
  const { bytes, start, end } = pdf();
  const rest = bytes.length - end;
  const decoy = `%PDF-1.7\n3 0 obj\n<</Type/Sig/#42yte#52ange[0 ${start} ${end} ${rest + 999999}]/Contents<00>>>\nendobj\nstartxref\n9\n%%EOF\n`;
  refused({ before: decoy }, /more than one/);
});

test("the gap belongs to the same dictionary as the range", () => {
  refused({ dict: (r, c) => `<</Type/Sig/ByteRange ${r}/Contents<00>/Other ${c}>>` }, /Contents/);
  refused({ dict: (r, c) => `<</Type/Sig/Inner<</ByteRange ${r}>>/Contents ${c}>>` }, /Contents/);
  refused({ dict: (r, c) => `<</Type/Sig/Contents<00>/ByteRange ${r}/Contents ${c}>>` }, /two \/Contents/);
});

test("a byte range that is not written in place, or not four numbers", () => {
  refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange 4 0 R>>\nendobj\nstartxref\n9\n%%EOF\n" }, /in place/);
  refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange[0 1 2]>>\nendobj\nstartxref\n9\n%%EOF\n" }, /four/);
  refused({ before: "%PDF-1.7\n3 0 obj\n<</ByteRange[0 -1 2 3]>>\nendobj\nstartxref\n9\n%%EOF\n" }, /four/);
});

test("files that are no prepared PDF", () => {
  assert.throws(() => findHole(utf8("")), HoleError);
  assert.throws(() => findHole(utf8("hello")), HoleError);
  assert.throws(() => findHole(utf8("%PDF-1.7\nnothing here\n%%EOF\n")), /covers/);
  refused({ after: "\nendobj\nno end" }, /last revision/);
});

test("every cut or single changed byte near the signature is refused or finds the same hole", () => {
  const { bytes, start, end } = pdf();
  for (let n = 0; n < bytes.length; n++) assert.throws(() => findHole(bytes.slice(0, n)), HoleError);
  for (let i = start - 300 < 0 ? 0 : start - 300; i < bytes.length; i++) {
    for (const flip of [1, 0x20, 0x80]) {
      const b = bytes.slice();
      b[i]! ^= flip;
      try {
        assert.deepEqual(findHole(b), { start, end });
      } catch (e) {
        assert.ok(e instanceof HoleError, String(e));
      }
    }
  }
});
