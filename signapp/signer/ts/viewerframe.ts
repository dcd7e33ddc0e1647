// The document frame. It is sandboxed with an opaque origin and has no network:
// a PDF that takes over pdf.js can neither reach this page's passkey calls nor
// send the document anywhere. It gets a copy of the very bytes that were
// hashed. What it says back is shown as a hint and never signed.

import type { Bytes } from "./b64";
import { ownFile } from "./api";
import { el } from "./dom";

/** Facts that the frame found out while drawing. */
export interface Drawn {
  pages: number;
  warnings: string[];
}

/** Frame is one document on show. */
export interface Frame {
  element: HTMLIFrameElement;
  drawn: Promise<Drawn>; // rejects when the document cannot be shown
  incomplete: Promise<boolean>; // resolves when a page cannot be drawn, also later; true where a part of what draws it was lost
  close(): void;
}

const patience = 30_000; // ms until a frame that says nothing has failed
const knownWarnings = new Set(["script", "attachments", "layers", "xfa"]);
const dataFile = /^[A-Za-z0-9_-]{1,64}\.(?:bcmap|pfb|ttf|wasm)$/;
const dataFolder: Record<string, string> = { cMapUrl: "cmaps", standardFontDataUrl: "standard_fonts", wasmUrl: "wasm" };

/**
 * openFrame shows a document inside host. With draw false the document is only
 * opened and counted, out of sight.
 */
export function openFrame(host: Element, title: string, bytes: Bytes, draw = true): Frame {
  const element = el("iframe", { sandbox: "allow-scripts", allow: "", referrerpolicy: "no-referrer", title, src: "/viewer.html" });
  if (!draw) {
    element.className = "counting";
    element.tabIndex = -1;
    element.setAttribute("aria-hidden", "true");
  }
  const channel = new MessageChannel();
  const port = channel.port1;
  let missing = (_lost: boolean): void => undefined;
  const incomplete = new Promise<boolean>((resolve) => (missing = resolve));
  const drawn = new Promise<Drawn>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), patience);
    port.onmessage = (e: MessageEvent<unknown>) => {
      const m = e.data as { t?: unknown; [k: string]: unknown } | null;
      if (m?.t === "drawn") {
        clearTimeout(timer);
        resolve(readDrawn(m));
      } else if (m?.t === "failed") {
        clearTimeout(timer);
        missing(false);
        reject(new Error(String(m["code"]).slice(0, 40)));
      } else if (m?.t === "data") {
        sendData(port, m).catch((e: unknown) => {
          clearTimeout(timer);
          missing(true);
          reject(e);
        });
      }
    };
  });
  element.addEventListener(
    "load",
    () => {
      // The frame's origin is opaque, so "*" is the only target there is; the
      // port goes to the document that this page has just put there, once.
      element.contentWindow?.postMessage("assent-viewer", "*", [channel.port2]);
      port.postMessage({ t: "open", pdf: bytes.buffer, draw });
    },
    { once: true },
  );
  host.append(element);
  drawn.catch(() => undefined); // the caller may look later
  return {
    element,
    drawn,
    incomplete,
    close() {
      port.close();
      element.remove();
    },
  };
}

function readDrawn(m: Record<string, unknown>): Drawn {
  const pages = Number.isSafeInteger(m["pages"]) ? Number(m["pages"]) : 0;
  const w = Array.isArray(m["warnings"]) ? m["warnings"].filter((x): x is string => typeof x === "string" && knownWarnings.has(x)) : [];
  return { pages, warnings: [...new Set(w)] };
}

/**
 * sendData hands pdf.js its own fonts, character maps and decoders: public files of this origin.
 * Without one of them pdf.js draws what it can and says nothing, so that text and pictures are
 * missing which the signer would approve unseen: then it rejects, and pdf.js gets no answer.
 */
async function sendData(port: MessagePort, m: Record<string, unknown>): Promise<void> {
  const folder = typeof m["kind"] === "string" && Object.hasOwn(dataFolder, m["kind"]) ? dataFolder[m["kind"]] : undefined;
  const name = m["name"];
  let data: ArrayBuffer | null = null;
  if (folder && typeof name === "string" && dataFile.test(name)) {
    // Whoever holds the answer back must not have a page stay blank beside a button that signs it.
    data = (await Promise.race([ownFile(`/pdfjs/${folder}/${name}`), new Promise<undefined>((late) => setTimeout(late, patience))])) ?? null;
    if (!data) throw new Error(`no ${name}`);
  }
  port.postMessage({ t: "data", n: m["n"], data });
}
