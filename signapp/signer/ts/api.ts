// Calls of the relay at the app origin. The relay is not believed: what comes
// back is checked by offer.ts and receipt.ts before anything is done with it.

import { encode, type Bytes } from "./b64";
import { signedReceiptShape, type SignedReceipt } from "./receipt";
import { displayable, signedShape, type Signed } from "./sap";
import { atLeast, type Of } from "./shape";
import { xadesShape } from "./xades";
import { signedSuccessionShape, type SignedSuccession } from "./succession";

/** RelayError is an answer that is no answer. */
export class RelayError extends Error {
  /** repeated: the same was sent before and got no answer; it may have counted. */
  repeated = false;

  constructor(
    readonly code: string, // "network", or the relay's code
    readonly status: number,
    readonly retry: string, // never, later, same
    readonly said: string, // the relay's words, "" if they cannot be shown
  ) {
    super(code);
  }
}

/** TooLarge: the answer is longer than it may be. */
export class TooLarge extends Error {}

const viewShape = {
  id: "string", state: "string", reason: "string", signer: { id: "string", name: "string" },
  asker: "string", purpose: "string", level: "string", key: "string", alg: "string", chain: ["string"],
  expires: "integer", return_url: "string", one_time: "boolean",
  items: [{ i: "integer", kind: "string", name: "string", size: "integer", hash: "string", signed_attributes: "string", dtbsr: "string", signed_properties: "string", xades: [xadesShape], "sizes?": ["integer"], "more?": ["string"] }],
} as const;

/** View is the relay's description of an operation: claims. */
export type View = Of<typeof viewShape>;

const maxJSON = 8 << 20;

/**
 * pauses in ms before the same is sent again whose answer got lost: a phone that changes
 * its network loses what is under way, and is back a moment later.
 */
const pauses = [300, 1000, 2500];

/** patiently sends again what may be sent twice. */
async function patiently<T>(send: () => Promise<T>): Promise<T> {
  for (let n = 0; ; n++) {
    try {
      return await send();
    } catch (e) {
      if (!(e instanceof RelayError)) throw e;
      e.repeated = n > 0;
      if (e.code !== "network" || n >= pauses.length) throw e;
    }
    await new Promise((r) => setTimeout(r, pauses[n]));
  }
}

/** Relay speaks to one operation's endpoints. */
export class Relay {
  constructor(
    private readonly origin: string,
    private token = "",
    private id = "",
  ) {}

  /** open tells whether there is a token to call with. */
  get open(): boolean {
    return this.token !== "";
  }

  /** session trades the ticket for the operation's token. A ticket counts once: where the answer got lost and not the question, the link has to be opened anew. */
  async session(ticket: string): Promise<{ token: string; view: View }> {
    const r = atLeast(await patiently(() => this.json("POST", "/sap/v1/session", { ticket })), { token: "string", operation: viewShape });
    this.token = r.token;
    this.id = r.operation.id;
    return { token: r.token, view: r.operation };
  }

  async view(): Promise<View> {
    return atLeast(await this.get(this.path()), viewShape);
  }

  /** request gets a fresh activation request; it voids the older one. */
  async request(): Promise<Signed> {
    return atLeast(await patiently(() => this.json("POST", this.path("/request"), {})), { request: signedShape }).request;
  }

  /** oneTime gets the SAM's offer of a one-time key; it voids the older one. */
  async oneTime(): Promise<Signed> {
    return atLeast(await this.json("POST", this.path("/onetime"), {}), { request: signedShape }).request;
  }

  /** oneTimeApprove hands over the approval of an offer; the key exists afterwards. The same bytes never make a second one. */
  async oneTimeApprove(statement: Bytes, proof: Bytes): Promise<View> {
    const body = { statement: encode(statement), proof: encode(proof) };
    return atLeast(await patiently(() => this.json("POST", this.path("/onetime/approve"), body)), viewShape);
  }

  /** oneTimeEnd has the operation's unused one-time key destroyed. */
  async oneTimeEnd(): Promise<View> {
    return atLeast(await this.json("POST", this.path("/onetime/end"), {}), viewShape);
  }

  /** document fetches the prepared bytes of an item, at most max of them. */
  document(i: number, max: number): Promise<Bytes> {
    return this.bytes(this.path(`/items/${i}/document`), max);
  }

  /** result fetches a signed document. */
  result(i: number, max: number): Promise<Bytes> {
    return this.bytes(this.path(`/items/${i}/result`), max);
  }

  /** redeem hands over an approval. The same bytes never use the key a second time. */
  async redeem(sad: Bytes, proof: Bytes): Promise<{ state: string; receipt: SignedReceipt }> {
    const body = { sad: encode(sad), proof: encode(proof) };
    const r = await patiently(() => this.json("POST", this.path("/redeem"), body));
    return atLeast(r, { state: "string", receipt: signedReceiptShape });
  }

  async decline(reason: string): Promise<View> {
    return atLeast(await this.json("POST", this.path("/decline"), { reason }), viewShape);
  }

  /** stopped tells why this device refused; nobody waits for an answer. */
  async stopped(code: string): Promise<void> {
    await this.json("POST", this.path("/stopped"), { code });
  }

  async enrolBegin(id: string): Promise<Signed> {
    return atLeast(await this.json("POST", "/sap/v1/enrolment/begin", { id }), { request: signedShape }).request;
  }

  async enrolFinish(id: string, registration: Bytes): Promise<{ signer: string; credential: string }> {
    const r = await this.json("POST", "/sap/v1/enrolment/finish", { id, registration: encode(registration) });
    return atLeast(r, { signer: "string", credential: "string" });
  }

  /** passkeys asks for the SAM's signed list of the signer's authenticators. */
  async passkeys(nonce: string, after: number): Promise<Signed> {
    return atLeast(await this.json("POST", "/sap/v1/passkeys/list", { nonce, after }), { list: signedShape }).list;
  }

  async changeBegin(action: string, target: string): Promise<Signed> {
    return atLeast(await this.json("POST", "/sap/v1/passkeys/change", { action, target }), { request: signedShape }).request;
  }

  async changeFinish(id: string, change: Bytes): Promise<void> {
    await this.json("POST", "/sap/v1/passkeys/finish", { id, change: encode(change) });
  }

  /** successions asks how the SAM's statement keys follow one another. */
  async successions(): Promise<SignedSuccession[]> {
    return atLeast(await this.get("/sap/v1/successions"), { successions: [signedSuccessionShape] }).successions;
  }

  private path(rest = ""): string {
    return `/sap/v1/operations/${encodeURIComponent(this.id)}${rest}`;
  }

  private async json(method: string, path: string, body?: unknown): Promise<unknown> {
    const res = await this.call(method, path, body);
    const text = await this.read(res, maxJSON);
    try {
      return JSON.parse(new TextDecoder().decode(text));
    } catch {
      throw new RelayError("malformed", res.status, "later", "");
    }
  }

  private get(path: string): Promise<unknown> {
    return patiently(() => this.json("GET", path));
  }

  private bytes(path: string, max: number): Promise<Bytes> {
    return patiently(async () => this.read(await this.call("GET", path), max));
  }

  private async read(res: Response, max: number): Promise<Bytes> {
    try {
      return await readAll(res, max);
    } catch (e) {
      if (e instanceof TooLarge) throw e;
      throw new RelayError("network", 0, "same", "");
    }
  }

  private async call(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.token) headers["X-Assent-Operation-Token"] = this.token;
    const res = await reach(this.origin + path, {
      method, headers, credentials: "include", mode: "cors", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!res.ok) throw await failure(res);
    return res;
  }
}

async function reach(address: string, how: RequestInit): Promise<Response> {
  try {
    return await fetch(address, how);
  } catch {
    throw new RelayError("network", 0, "same", "");
  }
}

/** ownFile fetches a public file of this origin; undefined when there is none, RelayError where nothing came. */
export function ownFile(path: string, cache: RequestCache = "default"): Promise<ArrayBuffer | undefined> {
  return patiently(async () => {
    const res = await reach(path, { credentials: "omit", cache });
    if (res.status >= 500) throw new RelayError("unknown", res.status, "later", "");
    if (!res.ok) return undefined;
    return res.arrayBuffer().catch(() => {
      throw new RelayError("network", 0, "same", "");
    });
  });
}

async function failure(res: Response): Promise<RelayError> {
  try {
    const e = atLeast(JSON.parse(new TextDecoder().decode(await readAll(res, 65536))), { error: "string", message: "string", retry: "string" });
    return new RelayError(e.error, res.status, e.retry, displayable(e.message) ? e.message : "");
  } catch {
    return new RelayError("unknown", res.status, res.status >= 500 ? "later" : "never", "");
  }
}

/** readAll reads a body of at most max bytes, whatever its header says. */
async function readAll(res: Response, max: number): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let have = 0;
  const reader = res.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    have += value.length;
    if (have > max) {
      await reader.cancel();
      throw new TooLarge();
    }
    parts.push(value);
  }
  const out = new Uint8Array(have);
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
