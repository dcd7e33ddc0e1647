// Real PDFs, prepared by the Go writer: the hole found here is the one that the
// writer left. The folder is made by the Go test that runs this.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { encode } from "../b64";
import { digest } from "../crypto";
import { misplaced } from "../pdfcensus";
import { hazards } from "../pdfhazards";
import { covered, findHole } from "../pdfhole";

const folder = process.env["HOLE_CORPUS"];

if (folder) {
  test("prepared files of the corpus", async () => {
    const names = readdirSync(folder).filter((n) => n.endsWith(".pdf"));
    assert.ok(names.length > 0);
    const refused: string[] = [];
    for (const n of names) {
      const bytes = new Uint8Array(readFileSync(`${folder}/${n}`));
      const want = JSON.parse(readFileSync(`${folder}/${n}.json`, "utf8")) as { start: number; end: number; terms: object; digest: string; twin?: string; damaged?: boolean };
      try {
        const hole = await findHole(bytes);
        assert.deepEqual(hole, { start: want.start, end: want.end, terms: want.terms }, n);
        assert.equal(encode(await digest("sha256", covered(bytes, hole))), want.digest, n);
        // The worker that warns of such a file, and the app, judge by the same rules.
        if (want.damaged !== undefined) assert.equal(await misplaced(bytes), want.damaged, n);
        // What is in an encrypted file is found as in the same file that is not encrypted.
        if (want.twin) assert.deepEqual([...(await hazards(bytes))].sort(), [...(await hazards(new Uint8Array(readFileSync(want.twin))))].sort(), n);
      } catch (e) {
        refused.push(`${n}: ${String(e)}`);
      }
    }
    assert.deepEqual(refused, []);
  });
}
