// Enrolment: the signing passkey is made here, for a challenge of the signing
// module, opened by the officer's one-time code. The code comes in the part of
// the link that is never sent to a server and stays on this page: only its
// proof for exactly this passkey leaves.

import { Relay, RelayError } from "./api";
import { decode, type Bytes } from "./b64";
import type { Config } from "./config";
import { button, el, facts, fill, foreign, say, show, type Child } from "./dom";
import { codeKey, codeProof, openRegistrationRequest, registration, registrationChallenge, type RegistrationRequest } from "./enrolment";
import { broken, opening } from "./ends";
import { displayable, type Signed } from "./sap";
import { t } from "./strings";
import { create, PasskeyError } from "./webauthn";

/** enrol runs the enrolment page. */
export async function enrol(cfg: Config, id: string, code: string): Promise<void> {
  show(t("enrol.title"), el("p", { class: "working" }, t("load.request")));
  const relay = new Relay(cfg.api);
  let key: Bytes;
  try {
    decode(id);
    key = await codeKey(code);
  } catch {
    return broken(undefined, "", undefined, t("enrol.bad_link"));
  }
  let signed: Signed;
  try {
    signed = await relay.enrolBegin(id);
  } catch (e) {
    if (e instanceof RelayError && e.retry !== "never") return broken(e, id, () => void enrol(cfg, id, code), opening(e));
    return broken(e, id, undefined, t("enrol.bad_link"));
  }
  const request = await check(cfg, id, signed);
  if (!request) return broken(undefined, id, undefined, t("enrol.not_genuine"));
  new Enrolment(cfg, relay, id, key, signed, request).open();
}

/** halves asks for the two halves of a recovery code; they stay on this page. */
export function halves(cfg: Config, id: string): void {
  const first = el("input", { id: "half1", autocomplete: "off", spellcheck: "false" });
  const second = el("input", { id: "half2", autocomplete: "off", spellcheck: "false" });
  show(
    t("enrol.title"),
    el("p", {}, t("enrol.halves.text")),
    el("p", {}, el("label", { for: "half1" }, t("enrol.halves.first")), " ", first),
    el("p", {}, el("label", { for: "half2" }, t("enrol.halves.second")), " ", second),
    el("div", { class: "actions single" }, button(t("common.continue"), () => void enrol(cfg, id, first.value.trim() + second.value.trim()), { class: "act", id: "continue" })),
  );
}

/** check verifies that the offer is the module's, for this place and this link. */
async function check(cfg: Config, id: string, signed: Signed): Promise<RegistrationRequest | undefined> {
  try {
    const r = await cfg.sam.open(signed.key, (k) => openRegistrationRequest(k, signed), (v) => v.iat * 1000);
    const fits = r.rid === id && r.aud === cfg.aud && r.origin === cfg.origin && r.rpId === cfg.rpId && r.name !== "" && displayable(r.name);
    return fits ? r : undefined;
  } catch {
    return undefined;
  }
}

class Enrolment {
  private readonly status = el("div", { class: "status" });
  private readonly button: HTMLButtonElement;
  private busy = false;
  private readonly ends: number;

  constructor(
    private readonly cfg: Config,
    private readonly relay: Relay,
    private readonly id: string,
    private readonly key: Bytes,
    private readonly signed: Signed,
    private readonly request: RegistrationRequest,
  ) {
    this.button = button(t("enrol.button", { name: request.name }), () => void this.create(), { class: "act", id: "create" });
    this.ends = performance.now() + (request.exp - request.iat) * 1000;
  }

  open(): void {
    show(
      t("enrol.title"),
      facts([t("enrol.for"), el("strong", {}, foreign(this.request.name))]),
      el("p", {}, t("enrol.explain")),
      el("p", {}, t("enrol.explain2")),
      el("p", {}, t("enrol.separate")),
      el("div", { class: "actions single" }, this.button),
      this.status,
    );
  }

  private async create(): Promise<void> {
    if (this.busy) return;
    if (performance.now() > this.ends) return broken(undefined, this.id, undefined, t("enrol.expired"));
    this.working(t("enrol.wait"));
    try {
      const statement = decode(this.signed.statement);
      const challenge = await registrationChallenge(decode(this.request.nonce), statement);
      const made = await create(this.request, challenge, this.cfg.attestation);
      const proof = await codeProof(this.key, statement, made.attestationObject, made.clientDataJSON);
      await this.send(registration(made.attestationObject, made.clientDataJSON, proof));
    } catch (e) {
      if (e instanceof PasskeyError && e.kind === "exists") return this.tell(t("enrol.exists"));
      if (e instanceof PasskeyError && e.kind === "cancelled") return this.tell(t("enrol.cancelled"));
      this.tell(e instanceof PasskeyError && e.kind === "unsupported" ? t("review.passkey.unsupported") : t("review.passkey.other", { detail: String(e) }));
    }
  }

  private async send(answer: Bytes, again = false): Promise<void> {
    this.working(t("enrol.finishing"));
    try {
      const done = await this.relay.enrolFinish(this.id, answer);
      if (done.signer !== this.request.sub) return broken(undefined, this.id, undefined, t("enrol.not_genuine"));
      show(t("enrol.done.title"), el("p", { id: "enrolled", "data-credential": done.credential }, t("enrol.done.text", { name: this.request.name })), el("p", {}, t("enrol.done.close")));
    } catch (e) {
      if (e instanceof RelayError && e.retry !== "never") {
        this.tell(e.code === "network" ? t("enrol.network") : t("error.open.later"), button(t("enrol.again"), () => void this.send(answer, true), { class: "act" }));
        this.busy = true; // a second passkey would be no help
        return;
      }
      // The module takes an enrolment once: what was sent before may have been taken.
      if (again) return broken(undefined, this.id, undefined, t("enrol.unsure"), el("p", {}, el("a", { class: "act", href: "/passkeys", id: "keys" }, t("keys.title"))));
      broken(e, this.id, undefined, t("enrol.refused"));
    }
  }

  private working(text: string): void {
    this.busy = true;
    this.button.setAttribute("aria-disabled", "true");
    fill(this.status, el("p", { class: "working" }, text));
    say(text);
  }

  private tell(text: string, ...more: Child[]): void {
    this.busy = false;
    this.button.setAttribute("aria-disabled", "false");
    fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text), ...more));
  }
}

