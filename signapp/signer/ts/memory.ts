// What this tab keeps over a reload, and no other tab, page or origin sees: the
// operation's token, and which offer of a one-time key the signer approved in it.

import { signedShape, type Signed } from "./sap";
import { exact } from "./shape";

const tokenKey = (op: string) => `assent-operation:${op}`;
const onceKey = (op: string) => `assent-once:${op}`;

function put(key: string, value: string): void {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // A reload will then need a new link, or a new approval; nothing else is lost.
  }
}

function get(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function drop(key: string): void {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // nothing was kept
  }
}

export const rememberToken = (op: string, token: string): void => put(tokenKey(op), token);
export const recallToken = (op: string): string | null => get(tokenKey(op));

/** rememberOnce keeps the offer that the passkey said yes to; it is verified again when it is read. */
export const rememberOnce = (op: string, offer: Signed): void => put(onceKey(op), JSON.stringify(offer));

/** recallOnce is the offer that was approved in this tab last, as it was kept. */
export function recallOnce(op: string): Signed | undefined {
  try {
    return exact(JSON.parse(get(onceKey(op)) ?? ""), signedShape);
  } catch {
    return undefined;
  }
}

/** forget is for an operation that waits for nothing more. */
export function forget(op: string): void {
  drop(tokenKey(op));
  drop(onceKey(op));
}
