// Real PDFs, prepared by the Go writer: the hole found here is the one that the
// writer left. The folder is made by the Go test that runs this.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { encode } from "../b64";
import { digest } from "../crypto";
import { listing } from "../pdfcensus";
import { hazards } from "../pdfhazards";
import { covered, findHole } from "../pdfhole";
import { twofaced } from "../pdfpages";

const folder = process.env["HOLE_CORPUS"];

if (folder) {
  test("prepared files of the corpus", async () => {
    const names = readdirSync(folder).filter((n) => n.endsWith(".pdf"));
    assert.ok(names.length > 0);
    const refused: string[] = [];
    for (const n of names) {
      const bytes = new Uint8Array(readFileSync(`${folder}/${n}`));
      const want = JSON.parse(readFileSync(`${folder}/${n}.json`, "utf8")) as { start: number; end: number; terms: object; digest: string; twin?: string; damaged?: boolean; twofaced?: boolean };
      try {
        const hole = await findHole(bytes);
        assert.deepEqual(hole, { start: want.start, end: want.end, terms: want.terms }, n);
        assert.equal(encode(await digest("sha256", covered(bytes, hole))), want.digest, n);
        // The worker that warns of such a file, and the app, judge by the same rules.
        const listed = await listing(bytes);
        if (want.damaged !== undefined) assert.equal(!listed, want.damaged, n);
        // The app does not read what the worker forgives, such as an object stream of a wrong length; it says so.
        const exact = want.twofaced || !(await hazards(bytes)).has("unread");
        if (want.twofaced !== undefined && listed && exact) assert.equal(await twofaced(bytes, listed), want.twofaced, n);
        // What is in an encrypted file is found as in the same file that is not encrypted.
        if (want.twin) {
          const twin = new Uint8Array(readFileSync(want.twin));
          assert.deepEqual([...(await hazards(bytes))].sort(), [...(await hazards(twin))].sort(), n);
          const other = await listing(twin);
          if (listed && other) assert.equal(await twofaced(bytes, listed), await twofaced(twin, other), n);
        }
      } catch (e) {
        refused.push(`${n}: ${String(e)}`);
      }
    }
    assert.deepEqual(refused, []);
  });
}
