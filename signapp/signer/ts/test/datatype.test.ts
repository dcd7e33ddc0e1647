// SGN-04: the type that a signature says its data is of is one that readers show as the signer saw it,
// and the file is of no other kind besides.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../b64";
import { misfit } from "../datatype";
import { lookOf, type Look } from "../textview";

const pdf = "%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";

const types: [Look, string, string][] = [
  ["pdf", "application/pdf", ""],
  ["pdf", "Application/PDF", ""],
  ["pdf", "application/pdf; charset=utf-8", "type"],
  ["pdf", "text/html", "type"],
  ["pdf", "text/xml", "type"],
  ["pdf", "application/x-pdf", "type"],
  ["text", "text/plain", ""],
  ["text", "text/plain; charset=UTF-8", ""],
  ["text", 'text/plain;charset="utf-8"', ""],
  ["text", "text/plain; charset=utf-7", "type"],
  ["text", "text/plain; charset=utf-8; charset=utf-7", "type"],
  ["text", "text/plain; format=flowed", "type"],
  ["text", "text/csv", ""],
  ["text", "text/xml", ""],
  ["text", "application/xml", ""],
  ["text", "application/json", ""],
  ["text", "application/ubl+xml", ""],
  ["text", "application/ld+json", ""],
  ["text", "application/xhtml+xml", "type"],
  ["text", "Application/XHTML+XML; charset=utf-8", "type"],
  ["text", "image/svg+xml", "type"],
  ["text", "application/+xml", "type"],
  ["text", "+xml", "type"],
  ["text", "text/html", "type"],
  ["text", "application/rtf", "type"],
  ["text", "application/pdf", "type"],
  ["text", "application/octet-stream", "type"],
  ["text", "text/plain\n", "type"],
  ["octets", "text/html", ""], // shown by their numbers, under a warning of their own
];

for (const [look, mime, want] of types) {
  test(`SGN-04: ${look} under the type ${JSON.stringify(mime)}`, () => {
    assert.equal(misfit(look, mime, look === "pdf" ? utf8(pdf) : utf8("<a/>")), want);
  });
}

const files: [string, string, string, string][] = [
  ["a PDF with two revisions", "application/pdf", pdf + pdf.slice(9) + "\r\n \t\n", ""],
  ["a page of HTML before the PDF", "application/pdf", `<html><body>999</body><!--${pdf}-->`, "both"],
  ["a line before the header", "application/pdf", `\n${pdf}`, "both"],
  ["a page of HTML behind the PDF", "application/pdf", `${pdf}<html></html>`, "both"],
  ["a PDF without an end", "application/pdf", "%PDF-1.7\n", "both"],
  ["a ZIP inside of the PDF", "application/pdf", `%PDF-1.7\n%PK\x05\x06${"\0".repeat(18)}\n${pdf.slice(9)}`, "both"],
  ["text", "text/plain", "Pay 1 euro\n", ""],
  ["XML that declares UTF-8", "text/xml", '<?xml version="1.0" encoding="UTF-8"?><a/>', ""],
  ["XML that declares nothing", "text/xml", '<?xml version="1.0"?><a encoding="utf-7"/>', ""],
  ["XML that declares UTF-7", "text/xml", "<?xml version='1.0' encoding='utf-7'?><a>+ADEAMAAw-</a>", "both"],
  ["XML whose declaration goes on and on", "text/xml", `<?xml version='1.0'${" ".repeat(1100)}encoding='utf-7'?><a/>`, "both"],
  ["the same behind a mark of UTF-8", "text/xml", "\ufeff<?xml version='1.0' encoding = \"cp037\" ?><a/>", "both"],
];

for (const [name, mime, content, want] of files) {
  test(`SGN-04: ${name}`, () => {
    const b = utf8(content);
    assert.equal(misfit(lookOf(b) === "pdf" ? "pdf" : "text", mime, b), want);
  });
}

test("SGN-04: what is shown as text is no PDF to its readers", () => {
  assert.equal(misfit("text", "text/xml", utf8(`<a>${pdf}</a>`)), "both");
});

test("SGN-04: a directory of ZIP is looked for where readers of ZIP look", () => {
  const far = concat(utf8("%PDF-1.7\nPK\x05\x06"), new Uint8Array(70_000).fill(37), utf8(`\n${pdf.slice(9)}`));
  assert.equal(misfit("pdf", "application/pdf", far), "");
});
