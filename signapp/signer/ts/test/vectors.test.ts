// The shared test vectors (sap/testdata/vectors.json): what Go makes and judges
// must come out here byte for byte. SAP-07, SGN-04, ENR-04.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode, encode, utf8 } from "../b64";
import { padesSignedAttributes } from "../cms";
import { digest, importP256, message, verifyES256 } from "../crypto";
import { codeKey, codeProof, openRegistrationRequest, registration, registrationChallenge } from "../enrolment";
import { canonical, canonicalBytes, decode as decodeJCS, decodeBytes } from "../jcs";
import { compareReceipt, openReceipt, type SignedReceipt } from "../receipt";
import { composeSAD, displayable, hashOf, openActivationRequest, type ActivationRequest, type Context, type Item, type Signed } from "../sap";
import { keyring, SAMKeys, type SignedSuccession } from "../succession";
import { parseCertificate } from "../x509";
import { signedInfo, signedProperties, texts, type XAdES } from "../xades";

interface Vectors {
  keys: Record<string, string>;
  cert: string;
  jcs: { in: string; out: string }[];
  b64: { in: string; ok: boolean }[];
  signedAttributes: { alg: string; doc: string; der: string; dtbsr: string }[];
  xades: { name: string; file: string; alg: string; doc: string; xades: XAdES; signedProperties: string; signedInfo: string; dtbsr: string }[];
  activationRequests: { name: string; signed: Signed; ok: boolean }[];
  sads: { name: string; request: string; cred: string; ctx: Context; items: Item[]; sad: string; challenge: string; proof: string }[];
  jws: { kid: string; sad: string; input: string; proof: string; ok: boolean }[];
  enrolment: { request: Signed; challenge: string; code: string; codeKey: string; attestationObject: string; clientDataJSON: string; codeProof: string; registration: string };
  receipts: { name: string; receipt: SignedReceipt; ok: boolean }[];
  displayable: { in: string; ok: boolean }[];
  successions: { name: string; pinned: string; chain: SignedSuccession[]; ok: boolean; keys: { id: string; until: number }[] }[];
}

const file = process.env["SAP_VECTORS"];
if (!file) throw new Error("SAP_VECTORS names no file");
const v = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const samKey = importP256(decode(v.keys["sam"]!));
const cert = decode(v.cert);

test("SAP-07 one canonical form, and no other spelling is read", () => {
  assert.ok(v.jcs.length > 10);
  for (const c of v.jcs) {
    if (c.out !== "") {
      assert.equal(canonical(JSON.parse(c.in)), c.out, c.in);
      assert.equal(canonical(decodeJCS(c.out)), c.out);
    }
    if (c.in === c.out && c.in !== "") assert.equal(canonical(decodeJCS(c.in)), c.in);
    else assert.throws(() => decodeJCS(c.in));
  }
});

test("SAP-07 one spelling of binary values", () => {
  assert.ok(v.b64.length > 5);
  for (const c of v.b64) {
    if (c.ok) assert.equal(encode(decode(c.in)), c.in);
    else assert.throws(() => decode(c.in));
  }
});

test("only text that looks like what it is", () => {
  for (const c of v.displayable) assert.equal(displayable(c.in), c.ok, JSON.stringify(c.in));
});

test("SGN-04 signed attributes are rebuilt byte for byte", async () => {
  assert.ok(v.signedAttributes.length >= 3);
  for (const c of v.signedAttributes) {
    const der = await padesSignedAttributes(decode(c.doc), cert);
    assert.equal(encode(der), c.der, c.alg);
    assert.equal(encode(await digest(hashOf(c.alg), der)), c.dtbsr, c.alg);
  }
});

test("SGN-04 what XAdES signs is composed byte for byte, and what has no text is refused", async () => {
  assert.ok(v.xades.some((c) => c.signedInfo === "") && v.xades.filter((c) => c.signedInfo !== "").length > 20);
  for (const [i, c] of v.xades.entries()) {
    const make = async () => {
      // What a SAD refuses (checkSAD) comes first, as in Go.
      if (!texts(c.xades).every(displayable)) throw new Error("not displayable");
      return [await signedProperties(c.xades, cert), await signedInfo(c.xades, c.file, c.alg, hashOf(c.alg), decode(c.doc), cert)] as const;
    };
    if (c.signedInfo === "") {
      await assert.rejects(make());
      continue;
    }
    const [properties, info] = await make();
    assert.equal(encode(properties), c.signedProperties, `${i} ${c.name}`);
    assert.equal(encode(info), c.signedInfo, `${i} ${c.name}`);
    assert.equal(encode(await digest(hashOf(c.alg), info)), c.dtbsr, `${i} ${c.name}`);
  }
});

test("SAP-05 activation requests: good ones open, all others do not", async () => {
  assert.ok(v.activationRequests.some((c) => !c.ok));
  for (const c of v.activationRequests) {
    if (c.ok) await openActivationRequest(await samKey, c.signed);
    else await assert.rejects(async () => openActivationRequest(await samKey, c.signed));
  }
});

test("SAP-02 SAD bytes and challenge", async () => {
  for (const c of v.sads) {
    const request = decodeBytes(decode(c.request)) as unknown as ActivationRequest;
    const made = await composeSAD(request, c.cred, c.ctx, c.items);
    assert.equal(encode(made.bytes), c.sad, c.name);
    assert.equal(encode(made.challenge), c.challenge, c.name);
    assert.equal(encode(canonicalBytes(decodeBytes(decode(c.proof)))), c.proof);
    const twice = [c.items[0]!, { ...c.items[0]!, i: 1 }];
    const two = { ...request, bind: { ...request.bind, n: c.items.length } };
    const first = (edit: Partial<Item>) => [{ ...c.items[0]!, ...edit }, ...c.items.slice(1)];
    await assert.rejects(composeSAD(two, c.cred, c.ctx, first({ kind: c.items[0]!.kind === "xades" ? "pades" : "xades" })), /belong/);
    if (c.items[0]!.xades) await assert.rejects(composeSAD(two, c.cred, c.ctx, first({ xades: { ...c.items[0]!.xades, roles: ["\u202e"] } })), /shown/);
    await assert.rejects(composeSAD({ ...request, bind: { ...request.bind, n: 2 } }, c.cred, c.ctx, twice), /twice/);
    await assert.rejects(composeSAD(request, c.cred, { ...c.ctx, asker: "\u202eevil" }, c.items), /shown/);
  }
});

test("device-key carrier: signing input in its one form", async () => {
  const device = await importP256(decode(v.keys["device"]!));
  let good = 0;
  for (const c of v.jws) {
    const input = encode(canonicalBytes({ alg: "ES256", kid: c.kid, typ: "sad+jws" })) + "." + c.sad;
    assert.equal(input, c.input);
    const { jws } = decodeBytes(decode(c.proof)) as { jws: string };
    const cut = jws.lastIndexOf(".");
    if (c.ok) {
      assert.equal(jws.slice(0, cut), input);
      assert.ok(await verifyES256(device, utf8(input), decode(jws.slice(cut + 1))));
      good++;
    }
  }
  assert.equal(good, 1);
});

test("ENR-04 enrolment: challenge, code key, proof, answer", async () => {
  const e = v.enrolment;
  const statement = decode(e.request.statement);
  const r = await openRegistrationRequest(await samKey, e.request);
  assert.equal(encode(await registrationChallenge(decode(r.nonce), statement)), e.challenge);
  const key = await codeKey(e.code);
  assert.equal(encode(key), e.codeKey);
  const [att, client] = [decode(e.attestationObject), decode(e.clientDataJSON)];
  const proof = await codeProof(key, statement, att, client);
  assert.equal(encode(proof), e.codeProof);
  assert.equal(encode(registration(att, client, proof)), e.registration);
  await assert.rejects(codeKey("AAAA"), /length/);
  await assert.rejects(async () => openRegistrationRequest(await samKey, v.activationRequests[0]!.signed));
});

test("receipts: the signed path, and the comparison with what was approved", async () => {
  const sad = v.sads[0]!;
  const face = parseCertificate(cert);
  const attributes = await padesSignedAttributes(decode(sad.items[0]!.doc), cert);
  for (const c of v.receipts) {
    if (!c.ok) {
      await assert.rejects(async () => openReceipt(await samKey, c.receipt));
      continue;
    }
    const r = await openReceipt(await samKey, c.receipt);
    const a = {
      sad: decode(sad.sad), proof: decode(r.proof), aud: "demo#1", alg: "ES256", certificate: cert, spki: face.spki,
      items: [{ dtbsr: sad.items[0]!.dtbsr, raw: false, attributes }],
    };
    await compareReceipt(r, a);
    const changes = [
      { ...a, sad: decode(v.sads[1]!.sad) },
      { ...a, proof: utf8("{}") },
      { ...a, aud: "other#1" },
      { ...a, certificate: utf8("x") },
      { ...a, items: [] },
      { ...a, items: [{ ...a.items[0]!, raw: true }] },
      { ...a, items: [{ ...a.items[0]!, dtbsr: encode(new Uint8Array(32)) }] },
      { ...a, items: [{ ...a.items[0]!, attributes: utf8("other attributes") }] },
    ];
    for (const changed of changes) await assert.rejects(compareReceipt(r, changed));
  }
});

test("the certificate's face", () => {
  const c = parseCertificate(cert);
  assert.equal(c.subject, "Anna Example");
  assert.equal(c.issuer, "Anna Example");
  assert.equal(c.notBefore.getTime(), 1_700_000_000_000);
  assert.equal(c.notAfter.getTime(), 2_700_000_000_000);
  assert.throws(() => parseCertificate(cert.subarray(0, cert.length - 1).slice()));
});

test("labels separate: a SAM signature of one purpose serves no other", async () => {
  const good = v.activationRequests[0]!.signed;
  const text = decode(good.statement);
  assert.ok(await verifyES256(await samKey, message("assent/activation-request/v1", text), decode(good.signature)));
  assert.ok(!(await verifyES256(await samKey, message("assent/registration-request/v1", text), decode(good.signature))));
});

test("KPR-06 successions of statement keys: good ones lead on, all others do not", async () => {
  assert.ok(v.successions.length > 10);
  for (const c of v.successions) {
    if (!c.ok) {
      await assert.rejects(keyring(decode(c.pinned), c.chain));
      continue;
    }
    const got = await keyring(decode(c.pinned), c.chain);
    assert.deepEqual(got.map(({ id, until }) => ({ id, until })), c.keys, c.name);
  }
});

test("KPR-06 no changed octet of a succession is accepted", async () => {
  const { pinned, chain } = v.successions[0]!;
  for (const [i, hop] of chain.entries()) {
    for (const part of ["statement", "signature", "proof"] as const) {
      const raw = decode(hop[part]);
      for (let at = 0; at < raw.length; at += 7) {
        const bad = raw.slice();
        bad[at]! ^= 1;
        const changed = chain.map((h, j) => (j === i ? { ...h, [part]: encode(bad) } : h));
        await assert.rejects(keyring(decode(pinned), changed));
      }
    }
  }
});

test("KPR-06 a message is opened with the key that it names, in its time", async () => {
  const good = v.successions[0]!;
  let asked = 0;
  const keys = new SAMKeys(decode(good.pinned), async () => (asked++, good.chain));
  const [first, second] = good.keys;
  const read = async () => first!.until;
  assert.equal(await keys.open(first!.id, read, (t) => t), first!.until);
  assert.equal(asked, 0); // the pinned key needs nobody's word
  await keys.open(second!.id, read, (t) => t);
  assert.equal(asked, 1);
  await assert.rejects(keys.open(first!.id, read, (t) => t + 1), /out of use/);
  await assert.rejects(keys.open("unknown", read, (t) => t), /not a key/);
  const alone = new SAMKeys(decode(good.pinned), async () => []);
  await assert.rejects(alone.open(second!.id, read, (t) => t), /not a key/);
});
