// ADE-04: encrypted files are looked through like others; what cannot be opened, or may be
// read by others in another way, was not looked through. The folder is made by the Go
// test that runs this.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { concat, utf8 } from "../b64";
import { ascii } from "../bytes";
import { listing } from "../pdfcensus";
import { unlock } from "../pdfcrypt";
import { hazards } from "../pdfhazards";
import { twofaced } from "../pdfpages";

const folder = process.env["ENCRYPTED"];

/** latin is a file as text, one character for each octet. */
function latin(name: string): string {
  const b = new Uint8Array(readFileSync(`${folder}/${name}.pdf`));
  return ascii(b, 0, b.length);
}

function bytes(s: string): Uint8Array {
  return Uint8Array.from(s, (c) => c.charCodeAt(0));
}

function edit(s: string, from: string | RegExp, to: string): string {
  const out = s.replace(from, to);
  assert.ok(out !== s, `no ${String(from)}`);
  return out;
}

const files: [string, string[]][] = [
  ["clean", []],
  ["clean-r5", []],
  ["clean-owner", []],
  ["metadata", []],
  ["script", ["script"]],
  ["user", ["unread"]],
  ["aes128", ["unread"]],
  ["rc4", ["unread"]],
];

// Edits of "script": the hazard is in an encrypted object stream.
const edits: [string, (s: string) => string, string[]][] = [
  ["streams in clear by the rule", (s) => edit(s, "/StmF /StdCF", "/StmF /Identity"), ["mixed", "unread"]],
  ["strings in clear by the rule", (s) => edit(s, "/StrF /StdCF", "/StrF /Identity"), ["mixed", "script"]],
  ["attachments in clear by the rule", (s) => edit(s, "/StrF /StdCF", "/EFF /Identity /StrF /StdCF"), ["mixed", "script"]],
  ["a stream in clear", (s) => `${s}\n900 0 obj<</Filter/Crypt/Length 3>>\nstream\nabc\nendstream endobj`, ["mixed", "script"]],
  ["metadata in clear that was not declared", (s) => `${s}\n900 0 obj<</Type/Metadata/Filter[/Crypt]/Length 3>>\nstream\nabc\nendstream endobj`, ["mixed", "script"]],
  ["other permissions", (s) => edit(s, "/P -4 ", "/P -8 "), ["unread"]],
  ["no permissions", (s) => edit(s, "/P -4 ", ""), ["unread"]],
  ["another /UE", (s) => edit(s, "/UE <", "/UE <00"), ["unread"]],
  ["a short /U", (s) => edit(s, /\/U <[0-9a-f]{8}/, "/U <"), ["unread"]],
  ["another revision", (s) => edit(s, "/R 6", "/R 7"), ["unread"]],
  ["another method", (s) => edit(s, "/CFM /AESV3", "/CFM /AESV2"), ["unread"]],
  ["two of a key", (s) => edit(s, "/R 6", "/R 6 /R 6"), ["unread"]],
  ["another handler", (s) => edit(s, "/Filter /Standard", "/Filter /Other"), ["unread"]],
  ["undeclared metadata", (s) => edit(s, "/R 6", "/R 6 /EncryptMetadata false"), ["unread"]],
  ["a second dictionary under the number", (s) => `${s}\n${dictionary(s).replace("/StmF /StdCF", "/StmF /Identity")}`, ["unread"]],
  ["one under a number that ends like it", (s) => `${s}\n7${dictionary(s).replace("/StmF /StdCF", "/StmF /Identity")}`, ["unread"]],
  ["one behind a comment", (s) => `${s}\n${dictionary(s).replace(" 0 obj", "%\n0 %\nobj").replace("/StmF /StdCF", "/StmF /Identity")}`, ["unread"]],
  ["two in trailers", (s) => `${s}\ntrailer<</Encrypt<</Filter/Standard>>>>`, ["unread"]],
  ["none under the number", (s) => edit(s, dictionary(s), dictionary(s).replace(" 0 obj", " 1 obj")), ["unread"]],
];

/** dictionary is the object with the encryption. */
function dictionary(s: string): string {
  const at = s.indexOf("/CFM");
  const from = s.lastIndexOf("\n", s.lastIndexOf(" 0 obj", at)) + 1;
  return s.slice(from, s.indexOf("endobj", at) + 6);
}

if (folder) {
  for (const [name, want] of files) {
    test(`ADE-04: encrypted, ${name}`, async () => {
      assert.deepEqual([...(await hazards(bytes(latin(name))))].sort(), want);
    });
  }
  for (const [name, change, want] of edits) {
    test(`ADE-04: encrypted with ${name}`, async () => {
      assert.deepEqual([...(await hazards(bytes(change(latin("script")))))].sort(), want);
    });
  }
  test("ADE-04: encrypted, metadata that is declared to be in clear", async () => {
    assert.deepEqual([...(await hazards(bytes(`${latin("metadata")}\n900 0 obj<</Type/Metadata/Filter[/Crypt]/Length 3>>\nstream\nabc\nendstream endobj`)))], []);
    assert.deepEqual([...(await hazards(bytes(`${latin("metadata")}\n900 0 obj<</Filter[/Crypt]/Length 3>>\nstream\nabc\nendstream endobj`)))], ["mixed"]);
  });
  test("ADE-04: pages of an encrypted file that readers differ about", async () => {
    const differ = async (b: Uint8Array): Promise<boolean> => twofaced(b, (await listing(b))!);
    assert.equal(await differ(bytes(latin("clean"))), false);
    assert.equal(await differ(bytes(latin("count"))), true);
    assert.deepEqual([...(await hazards(bytes(latin("count"))))], []);
  });
  // Whoever searches an encrypted file for objects decrypts its object streams, too.
  test("ADE-04: an object stream of an encrypted file that holds what is not listed", async () => {
    assert.ok(await listing(relisted(latin("clean"), (rows) => rows)), "as it is");
    const last = (rows: number[][]) => rows.findLastIndex((r) => r[0] === 2);
    assert.equal(await listing(relisted(latin("clean"), (rows) => rows.map((r, n) => (n === last(rows) ? r.map(() => 0) : r)))), undefined);
  });
  test("ADE-04: a changed object stream in an encrypted file", async () => {
    const b = bytes(latin("script"));
    const text = latin("script");
    for (const back of [1, 17, 40]) {
      const bad = concat(b);
      const end = text.indexOf("endstream", text.indexOf("/ObjStm"));
      const last = end - 1 - (text[end - 1] === "\n" ? 1 : 0);
      bad[last - back + 1]! ^= 1;
      assert.ok((await hazards(bad)).size > 0, `${back} octets before the end`);
    }
    const cut = text.indexOf("endstream", text.indexOf("/ObjStm"));
    assert.ok((await hazards(concat(b.subarray(0, cut - 9), utf8("\n"), b.subarray(cut)))).has("unread"));
  });
}

/** relisted has other rows in the cross-reference stream, which qpdf writes at the end. */
function relisted(text: string, edit: (rows: number[][]) => number[][]): Uint8Array {
  const at = Number(/startxref\s+(\d+)/.exec(text)![1]);
  const [, head, keys, data] = /^(\d+ 0 obj\n)(<<.*?>>)\nstream\n([\s\S]*)\nendstream/.exec(text.slice(at))!;
  const [a, b, c] = /\/W \[ (\d) (\d) (\d) \]/.exec(keys!)!.slice(1).map(Number) as [number, number, number];
  const predicted = inflateSync(bytes(data!));
  const [width, rows] = [a + b + c, [] as number[][]];
  for (let p = 0; p < predicted.length; p += width + 1) rows.push([...predicted.subarray(p + 1, p + 1 + width)].map((v, i) => (v + (rows[rows.length - 1]?.[i] ?? 0)) & 255));
  const out = edit(rows).flat();
  const plain = keys!.replace(/\/Filter \/FlateDecode \/DecodeParms <<.*?>> /, "").replace(/\/Length \d+/, `/Length ${out.length}`);
  return concat(bytes(`${text.slice(0, at)}${head}${plain}\nstream\n`), Uint8Array.from(out), bytes(`\nendstream\nendobj\nstartxref\n${at}\n%%EOF\n`));
}

/** Counted counts how often a file is searched on. */
class Counted extends Uint8Array {
  static searches = 0;
  override indexOf(v: number, from?: number): number {
    Counted.searches++;
    return super.indexOf(v, from);
  }
}

/** work is how much of that unlock does on a file that names one encryption n times, with much that could be it. */
async function work(n: number, piece: string): Promise<number> {
  const text = `%PDF-1.7\n9 0 obj\n<</Filter/Standard/V 5/R 6>>\nendobj\n${piece.repeat(8 * n)}\n${"/Encrypt 9 0 R ".repeat(n)}`;
  const pdf = new Counted(utf8(text));
  const places = [...text.matchAll(/\/Encrypt/g)].map((m) => m.index);
  Counted.searches = 0;
  await assert.rejects(unlock(pdf, places));
  return Counted.searches;
}

// The page has one thread: a file whose reading takes the square of its size keeps the signer from saying no.
for (const piece of ["1 0 obj 2 endobj\n", "1 0 obj<</N 1>>endobj\n", "obj<</A/B>>\n", "obj%", "%obj\n", "/Encrypt<<%"]) {
  test(`ADE-04: an encryption that is named often, and much of ${JSON.stringify(piece)}`, async () => {
    const [a, b] = [await work(50, piece), await work(200, piece)];
    assert.ok(b <= 5 * a, `4 times the file takes ${b} searches where it took ${a}`);
  });
}

test("ADE-04: an encryption that is named without end was not looked through", async () => {
  const found = await hazards(utf8(`%PDF-1.7\n9 0 obj\n<</Filter/Standard>>\nendobj\n${"/Encrypt 9 0 R ".repeat(4000)}`));
  assert.deepEqual([...found], ["unread"]);
});

test("ADE-04: two numbers are two encryptions", async () => {
  const dict = "<</Filter/Standard/V 5/R 6>>";
  const text = `%PDF-1.7\n8 0 obj${dict}endobj\n9 0 obj${dict}endobj\n/Encrypt 8 0 R /Encrypt 9 0 R `;
  await assert.rejects(unlock(utf8(text), [text.indexOf("/Encrypt"), text.lastIndexOf("/Encrypt")]), /more than one/);
});
