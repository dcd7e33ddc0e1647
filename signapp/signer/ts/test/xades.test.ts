// SGN-04: a saved file holds the very file that was approved, in base64, and to see that takes no
// text of the size of the file: a page of 50 MiB would be more memory and time than a telephone has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../b64";
import { ascii } from "../bytes";
import { base64, holdsBase64 } from "../xades";

const sample = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8)) & 255);
const before = '-object">';
const after = "</ds:Object>";

for (const n of [0, 1, 2, 3, 12287, 12288, 12289, 12290, 24576, 40_000]) {
  test(`SGN-04: the base64 of ${n} octets, and a file that holds it`, () => {
    const b = sample(n);
    const text = btoa(ascii(b, 0, n));
    assert.equal(base64(b), text);
    const file = utf8(`<a>${before}x${after}${before}${text}${after}`);
    assert.ok(holdsBase64(file, before, b, after));
    assert.ok(!holdsBase64(file, before, concat(b, new Uint8Array(1)), after), "one octet more");
    assert.ok(!holdsBase64(file.subarray(0, file.length - 1), before, b, after), "cut");
    assert.ok(!holdsBase64(utf8(`${before}${text} ${after}`), before, b, after), "more behind it");
    if (n === 0) return;
    for (const at of [0, n >> 1, n - 1]) {
      const other = concat(b);
      other[at]! ^= 1;
      assert.ok(!holdsBase64(file, before, other, after), `octet ${at}`);
    }
  });
}

test("SGN-04: no text is made of the size of a file", () => {
  const real = globalThis.btoa;
  let longest = 0;
  globalThis.btoa = (s) => {
    longest = Math.max(longest, s.length);
    return real(s);
  };
  try {
    const b = sample(1 << 20);
    assert.ok(holdsBase64(utf8(before + base64(b) + after), before, b, after));
  } finally {
    globalThis.btoa = real;
  }
  assert.ok(longest > 0 && longest <= 1 << 16, `${longest} octets at once`);
});
