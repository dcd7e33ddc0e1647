// The SAM's statement keys (sap/succession.go): the pinned one, from this origin's own
// configuration, and those that follow it. Whoever hands the chain over is not believed:
// each key vouches for the next, and each has signed its own entry. KPR-06.

import { decode, decodeLen, encode, type Bytes } from "./b64";
import { digest, importP256, message, verifyES256 } from "./crypto";
import { decodeBytes } from "./jcs";
import { label, validID } from "./sap";
import { exact, type Of } from "./shape";

export const maxSuccessions = 64;
const maxStatement = 2048; // characters of one statement

export const signedSuccessionShape = { statement: "string", signature: "string", proof: "string" } as const;
export type SignedSuccession = Of<typeof signedSuccessionShape>;

const successionShape = {
  typ: "string", aud: "string", instance: "string", epoch: "integer", old: "string", new: "string", spki: "string", time: "integer", mode: "string",
} as const;
type Succession = Of<typeof successionShape>;

interface Hop {
  s: Succession;
  text: Bytes;
  signature: Bytes | undefined; // of the old key; none in a replacement
  key: CryptoKey;
}

/** StatementKey is a key of the SAM; until is 0 while it is in use, else its end in milliseconds. */
export interface StatementKey {
  id: string;
  key: CryptoKey;
  until: number;
}

async function openHop(signed: SignedSuccession): Promise<Hop> {
  if (signed.statement.length > maxStatement) throw new Error("succession: too large");
  const text = decode(signed.statement);
  const s = exact(decodeBytes(text), successionShape);
  if (s.typ !== "sap/key-succession/1") throw new Error("succession: message of another type");
  if (!validID(s.aud) || !s.aud.includes("#") || !validID(s.instance)) throw new Error("succession: bad identifier");
  decodeLen(s.old, 32);
  if (s.epoch < 2 || s.epoch > maxSuccessions + 1 || s.time <= 0 || s.old === s.new) throw new Error("succession: bad epoch, time or key");
  const spki = decode(s.spki);
  if ((await keyID(spki)) !== s.new) throw new Error("succession: id of another key");
  const key = await importP256(spki);
  const replaced = s.mode === "replacement" && signed.signature === "";
  if (!replaced && s.mode !== "succession") throw new Error("succession: bad mode");
  if (!(await verifyES256(key, message(label.successionProof, text), decodeLen(signed.proof, 64)))) throw new Error("succession: the new key did not sign");
  return { s, text, signature: replaced ? undefined : decodeLen(signed.signature, 64), key };
}

function follows(h: Succession, before: Succession): void {
  const cluster = (aud: string) => aud.slice(0, aud.indexOf("#"));
  if (h.old !== before.new || h.epoch !== before.epoch + 1) throw new Error("succession: it does not follow the one before");
  if (h.instance !== before.instance || cluster(h.aud) !== cluster(before.aud)) throw new Error("succession: another module's");
  if (h.time < before.time) throw new Error("succession: older than the one before");
}

/** keyID names a key as the SAM does. */
export async function keyID(spki: Bytes): Promise<string> {
  return encode(await digest("sha256", spki));
}

/**
 * keyring verifies a chain that leads from the pinned key on, or over it, and returns the
 * keys that count: the pinned one first. It ends at a replacement, where the old key does
 * not vouch for the new one.
 */
export async function keyring(pinned: Bytes, chain: readonly SignedSuccession[]): Promise<StatementKey[]> {
  const id = await keyID(pinned);
  const keys: StatementKey[] = [{ id, key: await importP256(pinned), until: 0 }];
  if (chain.length > maxSuccessions) throw new Error("succession: the chain is too long");
  const seen = new Set<string>();
  let met = chain.length === 0;
  let replaced = false;
  let before: Succession | undefined;
  for (const signed of chain) {
    const { s, text, signature, key } = await openHop(signed);
    if (before) follows(s, before);
    seen.add(s.old);
    if (seen.has(s.new)) throw new Error("succession: a key that was in use before");
    met ||= s.old === id || s.new === id;
    before = s;
    const last = keys[keys.length - 1]!;
    if (s.old !== last.id || replaced) continue; // before the pinned key, or behind a replacement
    last.until = s.time;
    if (!signature) {
      replaced = true;
      continue;
    }
    if (!(await verifyES256(last.key, message(label.succession, text), signature))) throw new Error("succession: the old key did not sign");
    keys.push({ id: s.new, key, until: 0 });
  }
  if (!met) throw new Error("succession: the chain does not name the pinned key");
  return keys;
}

/** SAMKeys opens what the SAM signed with the key that it names. */
export class SAMKeys {
  private keys: StatementKey[] | undefined;

  /** source asks for the chain when a key is named that is not known yet. */
  constructor(
    private readonly pinned: Bytes,
    private readonly source: () => Promise<SignedSuccession[]>,
  ) {}

  /** open reads a message with the key of this id, which must have been in use at its time (milliseconds). */
  async open<T>(id: string, read: (key: CryptoKey) => Promise<T>, time: (v: T) => number): Promise<T> {
    const k = await this.find(id);
    const v = await read(k.key);
    if (k.until !== 0 && time(v) > k.until) throw new Error("the SAM's key was out of use then");
    return v;
  }

  private async find(id: string): Promise<StatementKey> {
    this.keys ??= await keyring(this.pinned, []);
    const known = this.keys.find((k) => k.id === id);
    if (known) return known;
    this.keys = await keyring(this.pinned, await this.source());
    const found = this.keys.find((k) => k.id === id);
    if (!found) throw new Error("not a key of the SAM, nor one that follows it");
    return found;
  }
}
