// Promise 2: whoever fills the hole (an evil ssad) chooses hexadecimal digits in
// it, in unsigned attributes of a CMS message that is valid. No other object of
// the document may read them: as a string, or as an ASCIIHex stream that draws a
// page, they would show B where A was approved. Each spelling below was followed
// by real readers and passed over by a scan for the usual one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8, type Bytes } from "../b64";
import { findHole } from "../pdfhole";

const head = "%PDF-1.7\n";
const end = "\nendobj\nstartxref\n9\n%%EOF\n";
const table = "\nendobj\nxref\n0 1\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n";
const closing = "\nendobj\n8 0 obj\n<</Length 2>>\nstream\nab\nendstream\nendobj\nxref\n0 1\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n";

function pdf(before: string, after = table, more = ""): Bytes {
  const contents = `<${"0".repeat(200)}>`;
  const slot = " ".repeat(44);
  const draft = `${before}7 0 obj\n<</Type/Sig${more}/ByteRange [${slot}]/Contents ${contents}>>${after}`;
  const start = draft.indexOf(contents);
  const stop = start + contents.length;
  return utf8(draft.replace(slot, [0, start, stop, draft.length - stop].join(" ").padEnd(44)));
}

const stream = (dict: string, keyword = "stream\n", more = "") => `${head}${more}3 0 obj\n<<${dict}>>${keyword}BT\nendstream${end}`;

const evil: Record<string, string> = {
  "a comment before the keyword": stream("/Length 400", "%c\nstream\n"),
  "text behind the keyword": stream("/Length 400", "stream BT\n"),
  "a comment before the length": stream("/Length%c\n400"),
  "a sign before the length": stream("/Length +400"),
  "many zeros before the length": stream("/Length 00000000000000000000400"),
  "a length in the form of a fraction": stream("/Length 400.0"),
  "a length with an exponent": stream("/Length 4E+2"),
  "a length far from the keyword": stream(`/Length 400/X(${"x".repeat(20000)})`),
  "the word obj in the dictionary": stream("/Length 400/X(obj)"),
  "two lengths": stream("/Length 400/Length 2"),
  "a length by reference, odd digits": stream("/Length 009 0 R", "stream\n", "9 0 obj\n400\nendobj\n"),
  "a length by reference, a comment": stream("/Length 9%c\n0 R", "stream\n", "9 0 obj%c\n400\nendobj\n"),
  "a length by reference, a sign": stream("/Length 9 0 R", "stream\n", "9 0 obj\n+400\nendobj\n"),
  "a length of an object whose number is hidden": stream("/Length 9 0 R", "stream\n", "9 %\n 0 obj\n400\nendobj\n"),
  "a stream within an array": `${head}3 0 obj\n[<</Length 400>>stream\nBT\nendstream]${end}`,
  "a wrong length and a string over the keyword": `${head}3 0 obj\n<</Length 1>>\nstream\nA ( \nendstream${end}`,
  "no length and a string over the keyword": `${head}3 0 obj\n<</Filter/ASCIIHexDecode>>\nstream\n41 (\nendstream${end}`,
  "no length and a comment over the keyword": `${head}3 0 obj\n<</Filter/ASCIIHexDecode>>\nstream\n41 %endstream${end}`,
  "a string that is left open": `${head}5 0 obj\n(Pay 100\n`,
  "a hexadecimal string that is left open": `${head}5 0 obj\n<5061\n`,
  "a string within a dictionary": `${head}5 0 obj\n<</T(name)/V(Pay \\) 100\n`,
  "an escaped parenthesis": `${head}5 0 obj\n[(a\\)(b)\n`,
  "a comment": `${head}5 0 obj\n[1 %`,
};

for (const [name, before] of Object.entries(evil)) {
  test(`T02 shown is signed: ${name}`, async () => {
    for (const after of [table, closing]) await assert.rejects(findHole(pdf(before, after)), /runs over|cannot be told|last revision|cannot be read|no object|not a dictionary/);
  });
}

test("T02 shown is signed: a length that is not in the open, and an end behind the hole", async () => {
  const before = stream("/Length 99 0 R");
  await findHole(pdf(before)); // nothing closes a stream behind the hole
  await assert.rejects(findHole(pdf(before, closing)), /cannot be told/);
});

test("T02 shown is signed: the signature is no annotation whose text is the hole", async () => {
  await findHole(pdf(head, table, "/Reason(x)"));
  for (const more of ["/Subtype/FreeText/Rect[0 0 600 800]/DA(/Helv 12 Tf)", "/#53ubtype/FreeText", "/AP<<>>", "/Parent 5 0 R"]) {
    await assert.rejects(findHole(pdf(head, table, more)), /dictionary has a/);
  }
});

test("T02 shown is signed: what a signature says of later changes is read, in one spelling, or refused", async () => {
  const doc = (p: string) => `<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /P ${p} /V /1.2 >> >>`;
  const field = (action: string) => `<< /Type /SigRef /TransformMethod /FieldMDP /Data 1 0 R /TransformParams << /Type /TransformParams /V /1.2 /Action /${action} >> >>`;
  const terms = async (reference: string) => (await findHole(pdf(head, table, `/Reference ${reference}`))).terms;
  assert.deepEqual((await findHole(pdf(head, table))).terms, {});
  assert.deepEqual(await terms(`[${doc("1")}]`), { certifies: 1 });
  assert.deepEqual(await terms(`[${doc("3")}${field("All")}]`), { certifies: 3, locks: "All" });
  assert.deepEqual(await terms(`[${field("Include /Fields [(a\\)) <FEFF03A9>]")}]`), { locks: "Include" });
  for (const bad of [
    `[${doc("4")}]`, `[${doc("1")}${doc("2")}]`, `[${doc("1 /P 2")}]`, `[${field("Some")}]`, `[${doc("2").replace("DocMDP", "UR3")}]`, `[${doc("2").replace("DocMDP", "Doc#4dDP")}]`,
    "5 0 R", `[5 0 R]`, `[${doc("1")} ]`, doc("1"), `[${field("Include /Fields [(a)(] /Action /All")}]`, `[${field(`Include /Fields [${"(a) ".repeat(20000)}]`)}]`,
  ]) {
    await assert.rejects(terms(bad), /later changes|cannot be read|no object/);
  }
});

test("T02 shown is signed: a cross-reference into the hole in any spelling", async () => {
  const at = String.fromCharCode(...pdf(head)).indexOf("<0000") + 10;
  const tail = (rows: string, trailer = "") => `\nendobj\nxref\n0 1\n${rows}trailer\n<<${trailer}>>\nstartxref\n9\n%%EOF\n`;
  for (const after of [
    tail(`${at}\n00000\nn \n`), tail(`${at}.0 0 n \n`), tail(`${at} %\n0 n\n`), tail(`+${at} 0 n\n`),
    tail("", `/P#72ev ${at}`), tail("", `/Prev%\n${at}`), tail("", `/Prev ${at} 0 R`), tail("", `/XRef#53tm ${at}`),
  ]) {
    await assert.rejects(findHole(pdf(head, after)), /points into|table cannot be read/);
  }
});

test("objects that end before the signature are no obstacle", async () => {
  await findHole(pdf(`${head}1 0 obj\n<</A(ob\\)j)/B<41>/C[(()) <</D 1>>]>>\nendobj\n2 0 obj (obj (x)) endobj\n4 0 obj 400 endobj\n${end}`));
  await findHole(pdf(stream("/Length 1"))); // wrong, and harmless
  await findHole(pdf(stream("")));
  await findHole(pdf(stream("/Length 9 0 R", "stream\r\n", "9 0 obj\n2\nendobj\n"), closing));
  await findHole(pdf(`${head}3 0 obj\n<</Length 9>>\nstream\nobj ( obj\nendstream${end}`.replace("obj ( obj", "obj [ obj")));
});

// Read once for each level, these would take hours.
test("reading objects takes bounded time", async () => {
  await assert.rejects(findHole(pdf(`${head}${"1 0 obj(".repeat(40000)}${")".repeat(40000)}\n`)), /nested|runs over/);
  await findHole(pdf(`${head}${"1 0 obj[<<".repeat(40000)}\n`));
});
