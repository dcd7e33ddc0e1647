// The steps at which a request ends without a signature, and errors.

import { RelayError, type View } from "./api";
import type { Config } from "./config";
import { button, el, foreign, show, type Child } from "./dom";
import type { Stop } from "./offer";
import { t, type Key } from "./strings";

/** onward links back to the application, and to nowhere else. */
export function onward(cfg: Config, url: string): HTMLElement | undefined {
  try {
    const u = new URL(url);
    if (u.origin !== cfg.api || u.username !== "" || u.password !== "") return undefined;
    return el("p", {}, el("a", { class: "act", href: u.href, rel: "noreferrer", id: "continue" }, t("common.continue")));
  } catch {
    return undefined;
  }
}

/** back links to where the request can be opened anew: its page in the application, or the first page. */
export function back(cfg: Config, op = ""): HTMLElement {
  const at = op === "" ? "/" : `/operations/${encodeURIComponent(op)}`;
  return el("p", {}, el("a", { class: "act", href: cfg.api + at, rel: "noreferrer", id: "back" }, t(op === "" ? "common.app" : "common.operation")));
}

/** stopped is the hard stop: what does not fit, and no way on. */
export function stopped(s: Stop, reference: string): void {
  const after = s.code === "receipt";
  show(
    t(after ? "stop.receipt.title" : "stop.title"),
    el(
      "div",
      { class: "stop", role: "alert", id: "stop", "data-code": s.code },
      el("h2", {}, t("stop.what")),
      el("p", {}, t(`stop.${s.code}`, { name: s.item })),
      el("p", {}, t(after ? "stop.receipt.text" : "stop.text")),
    ),
    el("p", { class: "hint" }, t("stop.technical", { detail: `${s.code}: ${s.detail}`.slice(0, 300) })),
    reference !== "" && el("p", { class: "hint" }, t("common.reference", { id: reference })),
  );
}

/** ended tells about an operation that waits no more. */
export function ended(cfg: Config, v: View): void {
  const table: Record<string, [Key, Key]> = {
    expired: ["end.expired.title", "end.expired.text"],
    cancelled: ["end.cancelled.title", "end.cancelled.text"],
    failed: ["end.failed.title", "end.failed.text"],
    declined: ["declined.title", "declined.text"],
  };
  let [title, text] = table[v.state] ?? ["end.signed.title", "end.signed.text"];
  // "refused" means that the module said no; other failures may come after a
  // signature was made, and only the sender can tell.
  if (v.state === "failed" && (v.reason === "refused" || v.reason.startsWith("refused "))) text = "end.refused.text";
  show(t(title), el("p", { id: "ended", "data-state": v.state }, t(text, { asker: v.asker })), onward(cfg, v.return_url) ?? back(cfg, v.id), el("p", { class: "hint" }, t("common.reference", { id: v.id })));
}

/** sentence puts an error of the relay into words. */
export function sentence(e: unknown, refused: Key = "error.refused"): string {
  if (!(e instanceof RelayError)) return t("error.refused");
  if (e.code === "network") return t("error.network");
  if (e.retry === "later" || e.status >= 500) return t("error.later");
  // In a browser that two people share the second login ends the first.
  if (e.code === "login_required" || (e.code === "not_found" && refused === "error.refused.approval")) return t("error.login");
  return t(refused);
}

/** opening puts an error into words before the page knows what became of the request: it may be signed, so nothing is claimed. */
export function opening(e: RelayError): string {
  if (e.code === "network") return t("error.open.network");
  return t(e.retry === "later" || e.status >= 500 ? "error.open.later" : "error.open.refused");
}

/** broken is the step for everything else; again may offer another try, way another place. */
export function broken(e: unknown, reference: string, again?: () => void, text = sentence(e), way?: HTMLElement): void {
  const said: Child = e instanceof RelayError && e.said !== "" && el("p", {}, foreign(t("common.said", { said: e.said })));
  show(
    t("error.title"),
    el("p", { role: "alert", id: "error" }, text),
    said,
    again && button(t("common.try_again"), again, { class: "act" }),
    way,
    reference !== "" && el("p", { class: "hint" }, t("common.reference", { id: reference })),
  );
}
