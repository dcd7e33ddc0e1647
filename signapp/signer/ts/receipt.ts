// Receipts (sap/receipt.go): the way from a receipt to the root that the SAM
// signed, and the comparison with what was approved on this device.

import { decode, decodeLen, encode, type Bytes } from "./b64";
import { labelled, message, verifyES256, verifySignature } from "./crypto";
import { decodeBytes } from "./jcs";
import { label } from "./sap";
import { exact, type Of } from "./shape";

export const signedReceiptShape = {
  receipt: "string", path: ["string"], index: "integer", size: "integer", signature: "string", key: "string",
} as const;

const receiptShape = {
  typ: "string", aud: "string", instance: "string", time: "integer", sad: "string", proof: "string",
  authenticator: "string", certificate: "string", origin: "string", rpId: "string",
  items: [{ i: "integer", dtbsr: "string", signature: "string", shown: "boolean" }],
  assurance: "string", auditSeq: "integer", auditHash: "string",
} as const;

const maxReceipt = 3 << 20; // octets, as in sap.MaxReceipt

export type SignedReceipt = Of<typeof signedReceiptShape>;
export type Receipt = Of<typeof receiptShape>;

/** openReceipt verifies the SAM's signature over a receipt and decodes it. */
export async function openReceipt(sam: CryptoKey, s: SignedReceipt): Promise<Receipt> {
  const text = decode(s.receipt);
  if (s.size < 1 || s.size > 1 << 20 || s.index < 0 || s.index >= s.size || s.path.length > 20) throw new Error("receipt: bad position");
  const path = s.path.map((p) => decodeLen(p, 32));
  const root = await rootFrom(await labelled(label.receiptLeaf, text), s.index, s.size, path);
  if (!(await verifyES256(sam, message(label.receiptRoot, root), decode(s.signature)))) throw new Error("receipt: the SAM's signature does not verify");
  const r = exact(decodeBytes(text, maxReceipt), receiptShape);
  if (r.typ !== "sap/receipt/1") throw new Error("receipt: message of another type");
  return r;
}

async function rootFrom(leaf: Bytes, i: number, n: number, path: Bytes[]): Promise<Bytes> {
  if (n === 1) {
    if (path.length !== 0) throw new Error("receipt: path too long");
    return leaf;
  }
  const last = path[path.length - 1];
  if (!last) throw new Error("receipt: path too short");
  const rest = path.slice(0, -1);
  let k = 1; // the left part is the largest power of two below n
  while (k * 2 < n) k *= 2;
  if (i < k) return labelled(label.receiptNode, await rootFrom(leaf, i, k, rest), last);
  return labelled(label.receiptNode, last, await rootFrom(leaf, i - k, n - k, rest));
}

/** Approved is what this device approved, byte for byte. */
export interface Approved {
  sad: Bytes;
  proof: Bytes;
  aud: string;
  alg: string;
  certificate: Bytes;
  spki: Bytes;
  items: { dtbsr: string; raw: boolean; attributes?: Bytes }[];
}

/**
 * compareReceipt insists that a receipt is about exactly what was approved and
 * that every signature in it verifies over the attributes rebuilt here. (A raw
 * digest cannot be verified by WebCrypto, which hashes by itself; the SAM's
 * word stands for those.)
 */
export async function compareReceipt(r: Receipt, a: Approved): Promise<void> {
  const same = r.sad === encode(a.sad) && r.proof === encode(a.proof) && r.certificate === encode(a.certificate) && r.aud === a.aud;
  if (!same || r.items.length !== a.items.length) throw new Error("receipt: it is about something else");
  for (const [i, it] of a.items.entries()) {
    const got = r.items[i]!;
    if (got.i !== i || got.dtbsr !== it.dtbsr || got.shown === it.raw) throw new Error(`receipt: item ${i + 1} differs`);
    if (it.attributes && !(await verifySignature(a.alg, a.spki, it.attributes, decode(got.signature)))) {
      throw new Error(`receipt: signature ${i + 1} does not verify`);
    }
  }
}
