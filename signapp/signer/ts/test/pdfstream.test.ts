// Promise 2 and ADE-04: streams that the app must understand are read as every reader
// reads them, or it is said that they were not. A cross-reference stream that leads into
// the hole lets an object grow there after the approval; an object stream that is passed
// over can hold a script. Each spelling below is followed by real readers, and was not
// seen by patterns.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";
import { concat, utf8, type Bytes } from "../b64";
import { hazards } from "../pdfhazards";
import { findHole } from "../pdfhole";

const zeros = "0".repeat(200);

/** octets is a text with one octet for each character. */
function octets(s: string): Bytes {
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

/** pdf is a prepared file; what comes behind the signature knows a place: in the hole, or before it. */
function pdf(after: (place: number) => string, lead = false, head = "%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\nstartxref\n9\n%%EOF\n7 0 obj\n"): Bytes {
  const contents = `<${zeros}>`;
  const slot = " ".repeat(44);
  const before = `${head}<</Type/Sig/ByteRange [${slot}]/Contents ${contents}>>`;
  const start = before.indexOf(contents);
  const draft = before + after(lead ? start + 40 : 9);
  const end = start + contents.length;
  return octets(draft.replace(slot, [0, start, end, draft.length - end].join(" ").padEnd(44)));
}

const close = "\nendobj\nstartxref\n9\n%%EOF\n";
const stream = (keys: string, data: string, keyword = "\nstream\n", length = `/Length ${data.length}`) => `\nendobj\n8 0 obj\n<<${keys}/Size 2${length}>>${keyword}${data}\nendstream${close}`;
const row = (n: number) => `\x01${String.fromCharCode(n >> 8, n & 255)}\x00`;
const wide = (n: number) => `\x01\x00\x00\x00\x01${String.fromCharCode(n >> 8, n & 255)}\x00`;
const deflated = (data: string) => String.fromCharCode(...deflateSync(octets(data)));
const asHex = (data: string) => [...octets(data)].map((c) => c.toString(16).padStart(2, "0")).join("") + ">";
const plain = "/Type/XRef/W[1 2 1]";
const flate = `${plain}/Filter/FlateDecode`;

// What is followed: it is let through when it leads elsewhere, and found when it leads into the hole.
const followed: Record<string, (n: number) => string> = {
  "in the usual form": (n) => stream(plain, row(n)),
  "with a comment between key and value": (n) => stream("/Type%\n/XRef/W[1 2 1]", row(n)),
  "without a type": (n) => stream("/W[1 2 1]", row(n)),
  "of another type": (n) => stream("/Type/ObjStm/W[1 2 1]", row(n)),
  "with names in escapes": (n) => stream("/#54ype/#58Ref/#57[1 2 1]", row(n)),
  "with widths in a dictionary within, before": (n) => stream("/X<</W[0 0 8]/Y 1>>/Type/XRef/W[1 2 1]", row(n)),
  "with widths in a dictionary within, behind": (n) => stream("/Type/XRef/W%\n[1 2 1]/X<</W[8 8 8]>>", row(n)),
  "with widths in a string": (n) => stream("/X(/W[8 8 8])/Type/XRef/W[1%]\n2 1]", row(n)),
  "compressed": (n) => stream(flate, deflated(row(n))),
  "compressed, in an array": (n) => stream(`${plain}/Filter[/FlateDecode]/DecodeParms[null]`, deflated(row(n))),
  "compressed, with a predictor": (n) => stream(`${flate}/DecodeParms<</Predictor 12/Columns 4>>`, deflated(`\x02${row(n)}`)),
  "far from its keyword": (n) => stream(`${plain}/X(${"x".repeat(20000)})`, row(n)),
  "with the word obj in it": (n) => stream(`${plain}/X(obj)`, row(n)),
  "before another stream's end": (n) => `\nendobj\n3 0 obj\n<</Length 2>>\nstream\nab${stream(plain, row(n))}`,
};

for (const [name, after] of Object.entries(followed)) {
  test(`T02 shown is signed: a cross-reference stream ${name}`, async () => {
    await findHole(pdf(after));
    await assert.rejects(findHole(pdf(after, true)), /points into the place/);
  });
}

// What readers take in different ways, or the app does not undo: refused wherever it leads.
const refused: Record<string, (n: number) => string> = {
  "/F for /Filter": (n) => stream(`${plain}/F/ASCIIHexDecode`, asHex(row(n))),
  "/F beside /Filter": (n) => stream(`${flate}/F/ASCIIHexDecode`, deflated(row(n))),
  "/DP for /DecodeParms": (n) => stream(`${flate}/DP<</Predictor 12/Columns 4>>`, deflated(row(n))),
  "another filter": (n) => stream(`${plain}/Filter/ASCIIHexDecode`, asHex(row(n))),
  "two filters": (n) => stream(`${plain}/Filter[/FlateDecode/ASCIIHexDecode]`, deflated(asHex(row(n)))),
  "a filter of encryption": (n) => stream(`${plain}/Filter[/Crypt]`, row(n)),
  "a filter elsewhere": (n) => stream(`${plain}/Filter 9 0 R`, row(n)),
  "parameters for no filter": (n) => stream(`${plain}/DecodeParms<</Predictor 12/Columns 4>>`, row(n)),
  "an array of parameters for one filter": (n) => stream(`${flate}/DecodeParms[<</Predictor 12/Columns 4>>]`, deflated(row(n))),
  "parameters for an array of filters": (n) => stream(`${plain}/Filter[/FlateDecode]/DecodeParms<</Predictor 12/Columns 4>>`, deflated(row(n))),
  "parameters elsewhere": (n) => stream(`${flate}/DecodeParms 9 0 R`, deflated(row(n))),
  "another predictor": (n) => stream(`${flate}/DecodeParms<</Predictor 2/Columns 4>>`, deflated(row(n))),
  "several colours": (n) => stream(`${flate}/DecodeParms<</Predictor 12/Columns 4/Colors 2>>`, deflated(`\x02${row(n)}`)),
  "a last row that is not whole": (n) => stream(`${flate}/DecodeParms<</Predictor 12/Columns 5>>`, deflated(`\x02${row(n)}`)),
  "data that is not whole": (n) => stream(flate, deflated(row(n)).slice(0, -3)),
  "data of a wrong check": (n) => stream(flate, `${deflated(row(n)).slice(0, -1)}\xff`),
  "two of a key": (n) => stream(`/W[1 1 1]${plain}`, row(n)),
  "widths elsewhere": (n) => stream("/Type/XRef/W 9 0 R", row(n)),
  "a width elsewhere": (n) => stream("/Type/XRef/W[1 9 0 R 1]", row(n)),
  "a width that is no number": (n) => stream("/Type/XRef/W[1 2.0 1]", row(n)),
  "a fourth width": (n) => stream("/Type/XRef/W[1 2 1 1]", row(n)),
  "a type that overflows": (n) => stream("/Type/XRef/W[5 2 1]", wide(n)),
  "no widths": (n) => stream("/Type/XRef", row(n)),
  "an index without widths": (n) => stream("/Index[0 1]", row(n)),
  "a comment before the keyword": (n) => stream(plain, row(n), "%\nstream\n"),
  "text behind the keyword": (n) => stream(plain, row(n), "\nstream \n"),
  "half a line end behind the keyword": (n) => stream(plain, row(n), "\nstream\r"),
  "a length that is too long": (n) => stream(plain, row(n), "\nstream\n", "/Length 40"),
  "a length that is too short": (n) => stream(plain, `\x00\x00\x00\x00${row(n)}`, "\nstream\n", "/Length 4"),
  "a length elsewhere": (n) => stream(plain, row(n), "\nstream\n", "/Length 9 0 R"),
  "the word endstream in the data": (n) => stream(plain, `\x00\x00\x00\x00endstream   ${row(n)}`),
  "a dictionary that cannot be read": (n) => stream(`${plain}/X<</A/B/C>>`, row(n)),
  "a previous section elsewhere": (n) => stream(`${plain}/Prev 9 0 R`, row(n)),
};

for (const [name, after] of Object.entries(refused)) {
  test(`T02 shown is signed: a cross-reference stream with ${name} is refused`, async () => {
    for (const lead of [false, true]) await assert.rejects(findHole(pdf(after, lead)), /cannot be read/);
  });
}

test("T02 shown is signed: a trailer leads to other sections by numbers that stand in place", async () => {
  const tail = (trailer: string, first = "0 1") => () => `\nendobj\nxref\n${first}\ntrailer\n<<${trailer}>>\nstartxref\n9\n%%EOF\n`;
  await findHole(pdf(tail("/Prev 9/XRefStm 9")));
  await findHole(pdf(() => `\nendobj\n9 0 obj<</Title(x)/Prev 5 0 R>>endobj${tail("")()}`)); // an outline
  for (const bad of ["/Prev 5 0 R", "/XRefStm 5 0 R", "/Prev%\n5 0 R", "/Prev 1E2", "/Prev +\n300", "/Prev 3-00", "/X<</A>>/Prev 9"]) {
    await assert.rejects(findHole(pdf(tail(bad))), /cannot be read/);
  }
});

test("T02 shown is signed: a table whose first number has a sign", async () => {
  const tail = (first: string) => (n: number) => `\nendobj\nxref\n${first} 1\n${String(n).padStart(10, "0")} 00000 n \ntrailer\n<<>>\nstartxref\n9\n%%EOF\n`;
  for (const first of ["0", "+0", "-0", ".0", "+\n0", "--0"]) await assert.rejects(findHole(pdf(tail(first), true)), /points into|cannot be read/);
});

test("reading dictionaries takes bounded time", async () => {
  for (const word of ["trailer", "1 0 obj"]) {
    const nested = `${word}<</A(`.repeat(5000) + ")>>".repeat(5000);
    await assert.rejects(findHole(pdf(() => `\nendobj\n${nested}${close}`)), /nested|cannot be read/);
    assert.ok(word === "trailer" || (await hazards(octets(nested))).has("unread"));
  }
  await assert.rejects(findHole(pdf(() => `\nendobj\n9 0 obj<</A${"[".repeat(100000)}${close}`)), /cannot be read/);
});

test("T02 shown is signed: a length by reference that an object stream says otherwise", async () => {
  const before = (packed: string) => `%PDF-1.7\n3 0 obj\n<</Length 9 0 R>>\nstream\nBT ET\nendstream\nendobj\n9 0 obj\n5\nendobj\n${packed}7 0 obj\n`;
  const inStream = (keys: string, data: string) => `4 0 obj\n<</Type/ObjStm/N 1/First 4${keys}/Length ${data.length}>>\nstream\n${data}\nendstream\nendobj\n`;
  const after = (n: number) => stream(plain, row(n));
  for (const [keys, way] of [["", (s: string) => s], ["/Filter/FlateDecode", deflated]] as const) {
    await findHole(pdf(after, false, before(inStream(keys, way("9 0 5")))));
    await findHole(pdf(after, false, before(inStream(keys, way("8 0 999")))));
    await assert.rejects(findHole(pdf(after, false, before(inStream(keys, way("9 0 999"))))), /runs over/);
  }
  await assert.rejects(findHole(pdf(after, false, before(inStream("/Filter/ASCIIHexDecode", asHex("9 0 999"))))), /cannot be told/);
});

const script = "<</S/JavaScript/JS(app.alert(1))>>";
const one = "/Type/ObjStm/N 1/First 4";
const objects = (keys: string, data: string, more = "") => octets(`%PDF-1.7\n4 0 obj\n<<${keys}/Length ${data.length}>>\nstream\n${data}\nendstream\nendobj\n${more}`);
const hidden = deflated(`5 0 ${script}`);

const unread: Record<string, Bytes> = {
  "under two filters": objects(`${one}/Filter[/FlateDecode/ASCIIHexDecode]`, deflated(asHex(`5 0 ${script}`))),
  "under /F": objects(`${one}/F/ASCIIHexDecode`, asHex(`5 0 ${script}`)),
  "under /F beside /Filter": objects(`${one}/Filter/FlateDecode/F/ASCIIHexDecode`, hidden),
  "under /DP": objects(`${one}/Filter/FlateDecode/DP<</Predictor 12/Columns 4>>`, hidden),
  "under parameters in an array": objects(`${one}/Filter/FlateDecode/DecodeParms[<</Predictor 12/Columns 4>>]`, hidden),
  "under parameters elsewhere": objects(`${one}/Filter/FlateDecode/DecodeParms 9 0 R`, hidden),
  "under a filter of encryption": objects(`${one}/Filter[/Crypt/FlateDecode]`, hidden),
  "under an unknown filter": objects(`${one}/Filter/Other`, hidden),
  "under a filter elsewhere": objects(`${one}/Filter 9 0 R`, hidden),
  "with a filter in a comment and in a dictionary within": objects(`${one}/X<</Filter/FlateDecode>>/Filter%\n/LZWDecode`, hidden),
  "without a type, far from the stream's keyword": objects(`/N 1/First 4/X(${"x".repeat(20000)})/Filter/LZWDecode`, hidden),
  "behind the word endstream": objects(`${one}/Filter/FlateDecode`, `${String.fromCharCode(...deflateSync(octets("5 0 <</A(endstream)>>"), { level: 0 })).slice(0, -4)}${hidden}`),
  "within another stream": objects("", `ab 8 0 obj<<${one}/Filter/LZWDecode/Length ${hidden.length}>>stream\n${hidden}`),
  "behind a comment, within another stream": objects("", `ab 8 %\n0 %\nobj<<${one}/Filter/LZWDecode/Length ${hidden.length}>>stream\n${hidden}`),
  "behind a keyword with text": octets(`%PDF-1.7\n4 0 obj\n<</N 1/First 4/Filter/FlateDecode/Length ${hidden.length}>>\nstream \n${hidden}\nendstream\nendobj\n`),
  "with falling offsets": objects("/Type/ObjStm/N 2/First 9/Filter/FlateDecode", deflated("5 9 6 0  <</A 1>> <</B 2>>")),
  "with the same number twice": objects("/Type/ObjStm/N 2/First 9/Filter/FlateDecode", deflated("5 0 5 9  <</A 1>> <</B 2>>")),
  "with an offset behind its end": objects("/Type/ObjStm/N 2/First 9/Filter/FlateDecode", deflated("5 0 6 99 <</A 1>> <</B 2>>")),
  "with a head that is not numbers": objects(`${one}/Filter/FlateDecode`, deflated("5 % <</A 1>>")),
  "with fewer objects than it says": objects("/Type/ObjStm/N 2/First 4/Filter/FlateDecode", deflated("5 0 <</A 1>>")),
};

for (const [name, file] of Object.entries(unread)) {
  test(`ADE-04: objects ${name} are found, or it is said that they were not read`, async () => {
    const found = await hazards(file);
    assert.ok(found.has("script") || found.has("unread"), [...found].join());
  });
}

test("ADE-04: objects in streams of the usual forms are looked through", async () => {
  const two = deflated("5 0 6 9  <</A 1>> <</B 2>>");
  for (const keys of ["/Filter/FlateDecode", "/Filter[/FlateDecode]", "/Filter[/FlateDecode]/DecodeParms[null]", "/Filter/FlateDecode/DecodeParms null", "/Extends 3 0 R/Filter/FlateDecode"]) {
    assert.deepEqual([...(await hazards(objects(`/Type/ObjStm/N 2/First 9${keys}`, two)))], [], keys);
    assert.deepEqual([...(await hazards(objects(`${one}${keys}`, hidden)))], ["script"], keys);
  }
  assert.deepEqual([...(await hazards(objects(one, `5 0 ${script}`)))], ["script"]);
  // An outline and an appearance before a picture are no object stream.
  assert.deepEqual([...(await hazards(concat(utf8("%PDF-1.7\n2 0 obj<</First 3 0 R/AP<</N 4 0 R>>>>endobj\n"), objects("/Type/XObject/Filter/DCTDecode", "ab"))))], []);
});
