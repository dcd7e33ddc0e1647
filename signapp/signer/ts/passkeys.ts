// Your signing passkeys: which there are, what was done to them, add one, remove
// one. The list and every offer are signed by the module; the application relays
// them: it can withhold a list whole, and change or shorten none. Each change is approved with a passkey that is
// there (ENR-04).

import { Relay, RelayError } from "./api";
import { decode, encode, type Bytes } from "./b64";
import { additionChallenge, change, changeChallenge, openChangeRequest, openList, type AuthenticatorList, type ChangeRequest } from "./change";
import type { Config } from "./config";
import { button, el, facts, fill, foreign, say, show, type Child } from "./dom";
import { back, broken, opening, sentence } from "./ends";
import type { Signed } from "./sap";
import { has, moment, t } from "./strings";
import { approve, create, PasskeyError } from "./webauthn";

const none: Bytes = new Uint8Array(0);
const maxPages = 40;

type Notice = AuthenticatorList["notices"][number];

/** passkeys runs the page. */
export async function passkeys(cfg: Config): Promise<void> {
  show(t("keys.title"), el("p", { class: "working" }, t("keys.loading")));
  const relay = new Relay(cfg.api);
  try {
    const { list, notices } = await load(cfg, relay);
    new Page(cfg, relay, list, notices).open();
  } catch (e) {
    if (!(e instanceof RelayError)) return broken(undefined, "", undefined, t("keys.not_genuine"));
    if (e.status === 401) return broken(e, "", undefined, t("keys.login"), back(cfg));
    broken(e, "", () => void passkeys(cfg), opening(e));
  }
}

/** load asks, each time with a fresh nonce, until there are no further notices. */
async function load(cfg: Config, relay: Relay): Promise<{ list: AuthenticatorList; notices: Notice[] }> {
  const notices: Notice[] = [];
  for (let after = 0, i = 0; i < maxPages; i++) {
    const nonce = encode(crypto.getRandomValues(new Uint8Array(32)));
    const list = await page(cfg, await relay.passkeys(nonce, after), nonce, after);
    if (list.aud !== cfg.aud) throw new Error("list of another module");
    notices.push(...list.notices);
    const last = list.notices.at(-1);
    if (!list.more || !last) return { list, notices };
    after = last.seq;
  }
  throw new Error("a list without an end");
}

function page(cfg: Config, signed: Signed, nonce: string, after: number): Promise<AuthenticatorList> {
  return cfg.sam.open(signed.key, (k) => openList(k, signed, nonce, after), (v) => v.iat * 1000);
}

/** when: as everywhere with the month in words and the zone, in which no day is mistaken. */
function when(seconds: number): string {
  return moment(new Date(seconds * 1000));
}

/** short names a passkey as far as a person compares it. */
function short(cred: string): string {
  return cred.slice(0, 8);
}

class Page {
  private readonly status = el("div", { class: "status" });
  private busy = false;

  constructor(
    private readonly cfg: Config,
    private readonly relay: Relay,
    private readonly list: AuthenticatorList,
    private readonly notices: Notice[],
  ) {}

  open(): void {
    const rows = this.list.auths.map((a) => this.row(a));
    show(
      t("keys.title"),
      facts([t("enrol.for"), el("strong", {}, foreign(this.list.name))]),
      rows.length === 0 ? el("p", { id: "no-keys" }, t("keys.none")) : el("ul", { id: "keys" }, ...rows),
      rows.length > 0 && el("div", { class: "actions single" }, button(t("keys.add"), () => void this.begin("add", ""), { class: "act", id: "add" })),
      this.status,
      el("h2", {}, t("keys.notices")),
      this.notices.length === 0 ? el("p", {}, t("keys.no_notices")) : el("ul", { id: "notices" }, ...this.notices.toReversed().map((n) => notice(n))),
      el("p", { class: "hint" }, t("keys.hint")),
      back(this.cfg),
    );
  }

  private row(a: AuthenticatorList["auths"][number]): HTMLElement {
    const cools = a.usableFrom > this.list.iat;
    const state = cools ? t("keys.state.cooling", { when: when(a.usableFrom) }) : t(a.usable ? "keys.state.usable" : "keys.state.locked");
    const other = this.list.auths.some((o) => o.usable && o.cred !== a.cred);
    return el(
      "li",
      { "data-credential": a.cred, "data-usable": String(a.usable) },
      el("p", {}, t("keys.row", { id: short(a.cred), when: when(a.created) }), " ", state),
      other && button(t(cools ? "keys.veto" : "keys.remove", { id: short(a.cred) }), () => void this.begin("remove", a.cred), { class: "act" }),
    );
  }

  /** begin gets the module's offer and shows what it says. */
  private async begin(act: "add" | "remove", target: string): Promise<void> {
    if (this.busy) return;
    this.working(t("load.request"));
    let signed: Signed;
    try {
      signed = await this.relay.changeBegin(act, target);
    } catch (e) {
      return this.tell(sentence(e, "keys.refused"));
    }
    let r: ChangeRequest;
    try {
      r = await this.cfg.sam.open(signed.key, (k) => openChangeRequest(k, signed), (v) => v.iat * 1000);
      const fits = r.aud === this.cfg.aud && r.origin === this.cfg.origin && r.rpId === this.cfg.rpId && r.sub === this.list.sub && r.act === act && r.target === target;
      if (!fits) throw new Error("another offer");
    } catch {
      return broken(undefined, "", undefined, t("keys.not_genuine"));
    }
    this.busy = false;
    const text = act === "add" ? t("keys.will.add", { hours: Math.ceil(r.cooling / 3600) }) : t("keys.will.remove", { id: short(target) });
    const go = act === "add" ? button(t("keys.create"), () => void this.create(signed, r), { class: "act", id: "create" }) : this.approval(signed, r, none, none);
    this.offer(text, go);
  }

  private offer(text: string, go: HTMLElement): void {
    fill(this.status, el("div", { class: "notice", id: "offer" }, el("p", {}, text), el("div", { class: "actions single" }, go, button(t("common.back"), () => void passkeys(this.cfg), { class: "quiet" }))));
    go.focus();
  }

  private approval(signed: Signed, r: ChangeRequest, attestation: Bytes, clientData: Bytes): HTMLElement {
    return button(t("keys.approve"), () => void this.approve(signed, r, attestation, clientData), { class: "act", id: "approve" });
  }

  private async create(signed: Signed, r: ChangeRequest): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const challenge = await additionChallenge(decode(r.nonce), decode(signed.statement));
      const made = await create(r, challenge, this.cfg.attestation, r.have);
      this.busy = false;
      this.offer(t("keys.made"), this.approval(signed, r, made.attestationObject, made.clientDataJSON));
    } catch (e) {
      this.failed(e);
    }
  }

  private async approve(signed: Signed, r: ChangeRequest, attestation: Bytes, clientData: Bytes): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const challenge = await changeChallenge(decode(r.nonce), decode(signed.statement), attestation, clientData);
      const proof = await approve(r.rpId, r.creds, challenge, 300_000);
      this.working(t("enrol.finishing"));
      await this.relay.changeFinish(r.rid, change(attestation, clientData, proof));
    } catch (e) {
      return e instanceof RelayError ? this.tell(sentence(e, "keys.refused")) : this.failed(e);
    }
    await passkeys(this.cfg);
    say(t("keys.done"));
  }

  private failed(e: unknown): void {
    const kind = e instanceof PasskeyError ? e.kind : "other";
    if (kind === "exists") return this.tell(t("enrol.exists"));
    if (kind === "cancelled") return this.tell(t("keys.cancelled"));
    this.tell(kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: String(e) }));
  }

  private working(text: string): void {
    this.busy = true;
    fill(this.status, el("p", { class: "working" }, text));
    say(text);
  }

  private tell(text: string, ...more: Child[]): void {
    this.busy = false;
    fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text), ...more));
  }
}

function notice(n: Notice): HTMLElement {
  const key = `keys.notice.${n.kind}`;
  const text = t(has(key) ? key : "keys.notice.other", { id: short(n.cred), kind: n.kind });
  const until = n.until > 0 ? ` ${t("keys.notice.until", { when: when(n.until) })}` : "";
  return el("li", { "data-kind": n.kind }, `${when(n.created)}: ${text}${until}`);
}
