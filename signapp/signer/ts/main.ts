// The page of the signing origin: finds out from its address what it is for.

import { RelayError } from "./api";
import { loadConfig } from "./config";
import { el, show } from "./dom";
import { back, broken, opening } from "./ends";
import { enrol, halves } from "./enrol";
import { passkeys } from "./passkeys";
import { Signing } from "./sign";
import { validID } from "./sap";
import { t } from "./strings";

async function main(): Promise<void> {
  // The policy forbids framing already; a browser that ignores it gets nothing.
  if (window.top !== window.self) return show(t("error.framed"));
  const params = new URLSearchParams(location.hash.slice(1));
  const op = params.get("op") ?? "";
  const enrolling = location.pathname === "/enrol";
  // One-time secrets leave the address bar before anything else happens. The
  // name of an operation stays, so that a reload finds it again.
  const keys = location.pathname === "/passkeys";
  history.replaceState(null, "", enrolling ? "/enrol" : keys ? "/passkeys" : op && validID(op) ? `/#op=${encodeURIComponent(op)}` : "/");
  await go(params, op, enrolling, keys);
}

async function go(params: URLSearchParams, op: string, enrolling: boolean, keys: boolean): Promise<void> {
  let cfg;
  try {
    cfg = await loadConfig();
  } catch (e) {
    // What the link holds is in the memory of this page only: another try must not load it again.
    if (e instanceof RelayError) return broken(e, "", () => void go(params, op, enrolling, keys), opening(e));
    return broken(undefined, "", undefined, t("error.config"));
  }
  if (cfg.profile === "demo") ribbon();
  if (keys) return passkeys(cfg);
  if (enrolling && params.get("halves") === "1") return halves(cfg, params.get("id") ?? "");
  if (enrolling) return enrol(cfg, params.get("id") ?? "", params.get("code") ?? "");
  if (!op) return show(t("home.title"), el("p", {}, t("home.text")), back(cfg));
  if (!validID(op)) return broken(undefined, "", undefined, t("error.link"), back(cfg));
  // Another link pasted into this tab starts anew.
  addEventListener("hashchange", () => location.reload());
  return new Signing(cfg, op, params.get("ticket") ?? "").start();
}

function ribbon(): void {
  const r = document.getElementById("ribbon");
  if (!r) return;
  r.textContent = t("ribbon.demo");
  r.hidden = false;
}

void main();
