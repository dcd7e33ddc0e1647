// The step before the first look at a certificate that does not exist yet: a key and a
// certificate for this one signature are made only after the signer's passkey said yes to
// exactly the offer of the signing module (KEY-10).

import { RelayError, type Relay, type View } from "./api";
import type { Bytes } from "./b64";
import type { Config } from "./config";
import { button, el, facts, fill, foreign, say, show, type Child } from "./dom";
import { sentence } from "./ends";
import { fileNames, oneTimeChallenge, type OneTimeOffer } from "./onetime";
import { has, t } from "./strings";
import { approve, PasskeyError } from "./webauthn";

/** What the step asks its owner to do. */
export interface OnceEnds {
  approved(): void; // the passkey said yes; nothing is sent yet
  made(v: View): void; // the key exists, the documents are prepared
  decline(): void;
  again(): void; // a fresh offer, from the beginning
  fail(e: unknown): void;
}

/** OnceStep is the step on the page. */
export class OnceStep {
  private readonly status = el("div", { class: "status" });
  private readonly yes: HTMLButtonElement;
  private readonly no: HTMLButtonElement;
  private busy = false;
  private readonly ends: number; // by performance.now()

  constructor(
    private readonly cfg: Config,
    private readonly relay: Relay,
    private readonly view: View,
    private readonly offer: OneTimeOffer,
    private readonly owner: OnceEnds,
  ) {
    this.yes = button(t("once.approve", { name: offer.subject }), () => void this.approve(), { class: "act", id: "make" });
    this.no = button(t("review.decline"), () => !this.busy && owner.decline(), { class: "act", id: "decline" });
    this.ends = performance.now() + (offer.request.exp - offer.request.iat) * 1000 - 2000;
  }

  open(): void {
    const { view: v, offer } = this;
    const r = offer.request;
    const assurance = `review.assurance.${r.assurance}`;
    show(
      t("once.title"),
      facts(
        [t("review.who"), el("strong", {}, foreign(v.asker))],
        [t("review.why"), v.purpose === "" ? t("review.no_purpose") : foreign(v.purpose)],
        [t("review.files"), el("ul", { class: "files" }, ...fileNames(v).map((name) => el("li", {}, foreign(name))))],
      ),
      el("p", {}, t("once.explain")),
      facts(
        [t("once.holder"), el("strong", { id: "holder" }, foreign(offer.subject))],
        [t("once.person"), foreign(`${r.name} (${r.proof})`)],
        [t("once.ca"), foreign(r.ca)],
        [t("once.policy"), foreign(r.policy)],
        [t("once.life"), el("strong", { id: "life" }, t("once.life.text", { n: Math.max(1, Math.floor(r.life / 60)) }))],
        [t("review.assurance"), has(assurance) ? t(assurance) : foreign(r.assurance)],
      ),
      el("p", {}, t("once.next")),
      el("div", { class: "actions" }, this.yes, this.no),
      this.status,
    );
  }

  private async approve(): Promise<void> {
    if (this.busy) return;
    if (performance.now() > this.ends) return this.owner.again();
    this.wait(t("review.passkey.wait"));
    try {
      const r = this.offer.request;
      const challenge = await oneTimeChallenge(r.nonce, this.offer.statement);
      const proof = await approve(this.cfg.rpId, r.creds, challenge, Math.max(10_000, this.ends - performance.now()));
      this.owner.approved();
      await this.send(proof);
    } catch (e) {
      if (e instanceof PasskeyError && e.kind === "cancelled") return this.tell(t("once.cancelled"));
      if (e instanceof PasskeyError) return this.tell(e.kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: e.message }));
      this.owner.fail(e);
    }
  }

  /** send repeats the same bytes after a lost answer: they never make a second key. */
  private async send(proof: Bytes, again = false): Promise<void> {
    this.wait(t("once.making"));
    try {
      this.owner.made(await this.relay.oneTimeApprove(this.offer.statement, proof));
    } catch (e) {
      if (!(e instanceof RelayError)) return this.owner.fail(e);
      const said = again || e.repeated ? t("error.unsure") : sentence(e, "once.refused");
      if (e.retry === "never") return this.tell(said, button(t("common.try_again"), () => this.owner.again(), { class: "act", id: "again" }));
      this.tell(t(e.code === "network" ? "once.network" : "once.later"), button(t("once.send_again"), () => void this.send(proof, true), { class: "act", id: "send-again" }));
      this.rest(true);
    }
  }

  private rest(busy: boolean): void {
    this.busy = busy;
    for (const b of [this.yes, this.no]) b.setAttribute("aria-disabled", String(busy));
  }

  private wait(text: string): void {
    this.rest(true);
    fill(this.status, el("p", { class: "working" }, text));
    say(text);
  }

  private tell(text: string, ...more: Child[]): void {
    this.rest(false);
    fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text), ...more));
  }
}
