// The signing flow: session, checks, review, passkey, receipt, result.

import { Relay, RelayError, type View } from "./api";
import { type Bytes } from "./b64";
import type { Config } from "./config";
import { button, el, say, show } from "./dom";
import { back, broken, ended, opening, sentence, stopped } from "./ends";
import { OnceStep } from "./once";
import { forget, recallOnce, recallToken, rememberOnce, rememberToken } from "./memory";
import { checkOneTime, isOneTime, sameKey, type OneTimeOffer } from "./onetime";
import { checkRequest, fetchOffer, sameTerms, Stop, type Offer } from "./offer";
import { compareReceipt, openReceipt, type SignedReceipt } from "./receipt";
import { over, receiptTerms, Result } from "./result";
import { Review } from "./review";
import { composeSAD } from "./sap";
import { t } from "./strings";
import { approve as askPasskey, PasskeyError } from "./webauthn";

const pollEvery = 1000; // ms
const pollAtMost = 600;

/** Signing is one operation on this page. */
export class Signing {
  private readonly relay: Relay;
  private review: Review | undefined;
  private offer: Offer | undefined;

  constructor(
    private readonly cfg: Config,
    private readonly op: string,
    private ticket: string, // "" once it was traded
  ) {
    this.relay = new Relay(cfg.api, ticket ? "" : (recallToken(op) ?? ""), op);
  }

  /** start runs until the signer has to decide. */
  async start(): Promise<void> {
    show(t("load.title"), el("p", { id: "progress", class: "working" }, t("load.session")));
    try {
      const view = await this.open();
      if (view.id !== this.op) throw new Stop("view", "another operation");
      if (!["prepared", "shown"].includes(view.state)) return this.end(view);
      await (view.one_time ? this.askKey(view) : this.resume(view).catch((e: unknown) => this.keyEnded(e)));
    } catch (e) {
      this.fail(e, () => void this.start());
    }
  }

  /** keyEnded: a one-time key that is no more is asked for anew; everything else fails as it did. */
  private async keyEnded(cause: unknown): Promise<void> {
    if (!(cause instanceof RelayError) || cause.retry !== "never") throw cause;
    const view = await this.relay.view();
    if (!view.one_time) throw cause;
    await this.askKey(view);
  }

  /**
   * resume goes on with a key that is there. A one-time key is the one that was approved in
   * this tab, also after a reload; what was approved elsewhere, or forgotten, cannot be
   * compared: that key is destroyed and the signer approves another.
   */
  private async resume(view: View): Promise<void> {
    const kept = recallOnce(view.id);
    if (kept) return this.load(view, await checkOneTime(this.cfg, view, kept));
    if (!isOneTime(view.key)) return this.load(view);
    const v = await this.relay.oneTimeEnd();
    if (v.id !== view.id || !v.one_time) throw new Stop("view", "the one-time key did not end");
    await this.askKey(v);
  }

  /** load fetches and checks what is to be signed and shows it. */
  private async load(view: View, once?: OneTimeOffer): Promise<void> {
    const n = view.items.length;
    this.offer = await fetchOffer(this.cfg, this.relay, view, (what, i) => this.progress(t(`load.${what}`, { i: i + 1, n })));
    sameKey(once, this.offer);
    this.review = new Review(this.cfg, this.offer, {
      approve: (cred) => void this.approve(cred),
      decline: (reason) => void this.decline(reason),
      moreTime: () => void this.moreTime(),
    });
    this.review.open();
    this.review.startClock();
  }

  /** askKey has the signer approve that a one-time key is made, and goes on with it. */
  private async askKey(view: View): Promise<void> {
    this.progress(t("load.request"));
    const signed = await this.relay.oneTime();
    const once = await checkOneTime(this.cfg, view, signed);
    const again = () => void this.start();
    new OnceStep(this.cfg, this.relay, view, once, {
      approved: () => rememberOnce(view.id, signed),
      made: (v) => {
        show(t("load.title"), el("p", { id: "progress", class: "working" }, t("load.request")));
        const go = v.id === view.id && !v.one_time ? this.load(v, once) : Promise.reject(new Stop("view", "no key, or another operation"));
        go.catch((e: unknown) => this.fail(e, again));
      },
      decline: () => void this.decline(""),
      again,
      fail: (e) => this.fail(e, again),
    }).open();
  }

  /** open trades the ticket once; afterwards this tab remembers the token. */
  private async open(): Promise<View> {
    if (!this.ticket) {
      if (!this.relay.open) throw new RelayError("link_invalid", 0, "never", "");
      return this.relay.view();
    }
    const { token, view } = await this.relay.session(this.ticket);
    this.ticket = "";
    rememberToken(this.op, token);
    return view;
  }

  private progress(text: string): void {
    const p = document.getElementById("progress");
    if (p) p.textContent = text;
    say(text);
  }

  private async approve(cred: string): Promise<void> {
    const { offer, review } = this;
    if (!offer || !review) return;
    const v = offer.view;
    review.wait(t("review.passkey.wait"));
    try {
      const ctx = { op: v.id, asker: v.asker, purpose: v.purpose, level: v.level };
      const made = await composeSAD(offer.request, cred, ctx, offer.documents.map((d) => d.item));
      const proof = await askPasskey(this.cfg.rpId, cred, made.challenge, Math.max(10_000, review.left()));
      if (!review.whole) return review.idle(t("review.incomplete.approved"));
      await this.redeem(made.bytes, proof);
    } catch (e) {
      if (e instanceof PasskeyError) return review.idle(passkeySentence(e, offer.certificate.subject));
      this.fail(e);
    }
  }

  /**
   * redeem sends an approval. After a lost connection the same bytes are sent
   * again, by itself and then by hand: the module answers a repetition with the
   * stored result and never uses the key twice for it.
   */
  private async redeem(sad: Bytes, proof: Bytes, again = false): Promise<void> {
    const review = this.review!;
    review.wait(t("review.redeem.wait"));
    try {
      const { receipt } = await this.relay.redeem(sad, proof);
      await this.finish(sad, proof, receipt);
    } catch (e) {
      if (e instanceof RelayError && e.retry !== "never") {
        const repeat = button(t("review.redeem.again"), () => void this.redeem(sad, proof, true), { class: "act", id: "send-again" });
        return review.hold(t(e.code === "network" ? "review.redeem.network" : "review.redeem.later"), repeat);
      }
      // What was sent before may have counted; here nobody asked the module.
      if (e instanceof RelayError && (again || e.repeated) && linkErrors.has(e.code)) return this.lookAgain(e, t("error.login.unsure"));
      const text = e instanceof RelayError ? sentence(e, "error.refused.approval") : "";
      if (e instanceof RelayError) return this.lookAgain(e, text, again || e.repeated ? t("error.unsure") : text);
      this.fail(e);
    }
  }

  private async finish(sad: Bytes, proof: Bytes, signed: SignedReceipt): Promise<void> {
    const offer = this.offer!;
    let receipt;
    try {
      receipt = await this.cfg.sam.open(signed.key, (k) => openReceipt(k, signed), (v) => v.time);
      await compareReceipt(receipt, receiptTerms(offer, sad, proof));
    } catch (e) {
      if (e instanceof RelayError && e.code === "network") throw e; // the SAM's keys could not be asked for
      throw new Stop("receipt", String(e));
    }
    this.close();
    const result = new Result(this.cfg, this.relay, offer, signed, receipt);
    result.open();
    await this.follow(result);
  }

  /** follow waits for the documents to be completed. */
  private async follow(result: Result): Promise<void> {
    for (let i = 0; i < pollAtMost; i++) {
      try {
        const v = await this.relay.view();
        if (v.state === "finished") {
          say(t("result.title", { n: v.items.length }));
          return result.finished();
        }
        if (over(v)) return result.note(t("result.failed"));
      } catch (e) {
        if (e instanceof RelayError && e.retry === "never") return result.note(t("result.waiting_long"));
      }
      if (i === 30) result.note(t("result.waiting_long"));
      await new Promise((r) => setTimeout(r, pollEvery));
    }
  }

  private async decline(reason: string): Promise<void> {
    try {
      this.review?.wait(t("decline.title"));
      const v = await this.relay.decline(reason);
      this.close();
      ended(this.cfg, v);
    } catch (e) {
      if (e instanceof RelayError && e.retry !== "never") return this.review?.idle(sentence(e));
      if (e instanceof RelayError) return this.lookAgain(e, sentence(e));
      this.fail(e);
    }
  }

  /** moreTime replaces the activation request; everything else is kept. */
  private async moreTime(): Promise<void> {
    const { offer, review } = this;
    if (!offer || !review) return;
    try {
      review.wait(t("load.request"));
      const request = await checkRequest(this.cfg, offer.view, offer.certificate, await this.relay.request());
      if (!sameTerms(offer.request, request)) throw new Stop("binding", "the renewed request has other terms");
      review.renewed({ ...offer, request });
    } catch (e) {
      if (e instanceof RelayError && e.retry !== "never") {
        return review.idle(sentence(e), button(t("review.time.more"), () => void this.moreTime(), { class: "act" }));
      }
      if (e instanceof RelayError) return this.lookAgain(e, sentence(e));
      this.fail(e);
    }
  }

  /**
   * lookAgain finds out whether the operation ended meanwhile; if it still
   * waits, the signer may begin anew. blind is said where that was not found out.
   */
  private async lookAgain(cause: RelayError, text: string, blind = text): Promise<void> {
    this.close();
    let again: (() => void) | undefined;
    try {
      const v = await this.relay.view();
      if (!["prepared", "shown"].includes(v.state)) return this.end(v);
      again = () => void this.start();
    } catch {
      text = blind; // of the two causes the first says more
    }
    broken(cause, this.op, again, text, again ? undefined : back(this.cfg, this.op));
  }

  private end(v: View): void {
    if (over(v)) forget(this.op);
    ended(this.cfg, v);
  }

  private close(): void {
    this.review?.close();
    this.review = undefined;
  }

  private fail(e: unknown, again?: () => void): void {
    this.close();
    if (e instanceof Stop) return this.stop(e);
    if (e instanceof RelayError && e.retry !== "never") return broken(e, this.op, again, opening(e));
    // A ticket counts once: where the answer to its trade got lost, a new one is one click away.
    if (e instanceof RelayError) return broken(e, this.op, undefined, linkErrors.has(e.code) ? t("error.link") : opening(e), back(this.cfg, this.op));
    // A message of the wrong shape, or text that cannot be shown: not what it claims.
    this.stop(new Stop("view", String(e)));
  }

  /** stop ends everything here. Sender and operator are told the reason; one that lies hides it, and the page does not wait for it. */
  private stop(s: Stop): void {
    stopped(s, this.op);
    this.relay.stopped(s.code).catch(() => undefined);
  }
}

/** Codes of the relay that mean: this page is not, or no longer, let in. */
const linkErrors = new Set(["login_required", "token_required", "link_invalid", "not_found"]);

function passkeySentence(e: PasskeyError, name: string): string {
  if (e.kind === "cancelled") return t("review.passkey.cancelled", { name });
  if (e.kind === "unsupported") return t("review.passkey.unsupported");
  return t("review.passkey.other", { detail: e.message });
}
