// SAP-02, SGN-04: what the module composes and what the app composes are the same octets, or both refuse: of many properties drawn at
// random, most at their bounds. The file is made by the Go test that runs this.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode, encode, type Bytes } from "../b64";
import { digest, type HashName } from "../crypto";
import { signedInfo, signedProperties, type XAdES } from "../xades";

const file = process.env["XADES_TWINS"];

interface Case { name: string; alg: string; hash: HashName; doc: string; cert: string; xades: XAdES; info: string; properties: string; why: string }

if (file) {
  test("composed as the module does", async () => {
    const differ: string[] = [];
    const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];
    assert.ok(cases.length > 100);
    for (const c of cases) {
      let info = "";
      let properties = "";
      let why = "";
      try {
        const of = async (b: Promise<Bytes>) => encode(await digest("sha256", await b));
        info = await of(signedInfo(c.xades, c.name, c.alg, c.hash, decode(c.doc), decode(c.cert)));
        properties = await of(signedProperties(c.xades, decode(c.cert)));
      } catch (e) {
        [info, properties, why] = ["", "", String(e)];
      }
      if (info !== c.info || properties !== c.properties) differ.push(`${JSON.stringify({ ...c, cert: "" })} here: ${why || "composed"}`);
    }
    assert.deepEqual(differ.slice(0, 5), [], `${differ.length} of ${cases.length}`);
  });
}
