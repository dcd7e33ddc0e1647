// ADE-04: what other readers would do or show otherwise is found by the app itself,
// wherever it stands and however it is spelled, and what cannot be looked through is
// said. Each of these was passed over when the viewer's word was all there was.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";
import { concat, utf8 } from "../b64";
import { hazards } from "../pdfhazards";

const plain = "%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n3 0 obj\n<</Length 9>>\nstream\n/JS /OCG x\nendstream\nendobj\n";
const end = "startxref\n9\n%%EOF\n";

function packed(text: string, dict = "/Type/ObjStm/N 1/First 4/Filter/FlateDecode", keyword = "stream\n"): Uint8Array {
  const z = deflateSync(utf8(text));
  return concat(utf8(`${plain}7 0 obj\n<<${dict}/Length ${z.length}>>${keyword}`), z, utf8(`\nendstream\nendobj\n${end}`));
}

const cases: [string, Uint8Array | string, string[]][] = [
  ["nothing", plain + end, []],
  ["a script of a page", `${plain}4 0 obj<</AA<</O<</S/JavaScript/JS(x)>>>>>>endobj ${end}`, ["script"]],
  ["an escaped name", `${plain}4 0 obj<</A<</S/Java#53cript>>>>endobj ${end}`, ["script"]],
  ["a launch of Windows", `${plain}4 0 obj<</A<</S/Launch/Win<</F(cmd.exe)>>>>>>endobj ${end}`, ["launch"]],
  ["sent data", `${plain}4 0 obj<</A<</S/SubmitForm/F(x)>>>>endobj ${end}`, ["launch"]],
  ["another file", `${plain}4 0 obj<</A<</S/GoToR/F(https:x.pdf)>>>>endobj ${end}`, ["launch"]],
  ["a rendition", `${plain}4 0 obj<</AA<</WC<</S/Rendition>>>>>>endobj ${end}`, ["media"]],
  ["an associated file", `${plain}4 0 obj<</AF[5 0 R]>>endobj ${end}`, ["attachments"]],
  ["a layer that is on", `${plain}4 0 obj<</Type/OCG>>endobj ${end}`, ["optional"]],
  ["another picture on paper", `${plain}4 0 obj<</Alternates[<</DefaultForPrinting true>>]>>endobj ${end}`, ["optional"]],
  ["XFA", `${plain}4 0 obj<</XFA 9 0 R>>endobj ${end}`, ["xfa"]],
  ["another document", `${plain}trailer<</AdditionalStreams[/application#2Fvnd.oasis.opendocument.text 3 0 R]>>${end}`, ["other"]],
  ["another document, escaped", `${plain}trailer<</Additional#53treams[/x 3 0 R]>>${end}`, ["other"]],
  ["content elsewhere", `${plain}4 0 obj<</Length 0/FFilter/ASCIIHexDecode/F(x)>>stream\n\nendstream endobj ${end}`, ["outside"]],
  ["encryption", `${plain}trailer<</Encrypt 9 0 R>>${end}`, ["unread"]],
  ["in an object stream", packed("8 0 <</S/JavaScript>>"), ["script"]],
  ["in one without type", packed("8 0 <</S/JavaScript>>", "/N 1/First 4/Filter/FlateDecode"), ["script"]],
  ["a plain object stream", packed("8 0 <</S/GoTo>>"), []],
  ["a stream of another filter", packed("8 0 <</S/JavaScript>>", "/Type/ObjStm/N 1/First 4/Filter[/LZWDecode]"), ["unread"]],
  ["a type spelled with escapes", packed("8 0 <</S/JavaScript>>", "/Type/Obj#53tm/N 1/First 4/Filter/FlateDecode"), ["script"]],
  ["the word obj in the dictionary", packed("8 0 <</S/JavaScript>>", "/N 1/First 4/X(obj)/Filter/FlateDecode"), ["script"]],
  ["a comment before the keyword", packed("8 0 <</S/JavaScript>>", undefined, "%c\nstream\n"), ["unread"]],
  ["a dictionary far from the keyword", packed("8 0 <</S/JavaScript>>", `/N 1/First 4/Filter/FlateDecode/X(${"x".repeat(20000)})`), ["unread"]],
  ["objects in a stream that seems longer", `${plain}4 0 obj<</Length 0>>stream\n\n5 0 obj<</S/JavaScript>>endobj endstream ${end}`, ["script"]],
  ["the keyword in a string", `${plain}4 0 obj<</X(>>\nstream\n)>>endobj 5 0 obj<</S/JavaScript>>endobj ${end}`, ["script"]],
];

for (const [name, pdf, want] of cases) {
  test(`ADE-04: ${name}`, async () => {
    const got = await hazards(typeof pdf === "string" ? utf8(pdf) : pdf);
    assert.deepEqual([...got].sort(), want);
  });
}
