// The document frame: draws one PDF with pdf.js. It runs with an opaque origin
// under a policy without any network; all it gets comes through one port. The
// pdf.js worker runs on this frame's own thread, because an opaque origin can
// start none; the frame is its own process in browsers that isolate sandboxes.
//
// Scripts in documents, XFA and form entry are off: getDocument is used without
// the scripting sandbox, enableXfa stays false, and no annotation layer exists,
// so fields are drawn as pictures. pdf.js 6 has no eval path any more, and the
// policy forbids eval.

import { AnnotationMode, getDocument, VerbosityLevel, type PDFDocumentProxy, type PDFPageProxy } from "pdfjs-dist";
import "pdfjs-dist/build/pdf.worker.mjs";

// Browsers give no animation frames to a frame of another process that is
// scrolled out of view, and pdf.js waits for them. The first page must be drawn
// all the same, because whether it can be drawn decides about signing.
const nextFrame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (f) => {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    f(performance.now());
  };
  setTimeout(once, 200);
  return nextFrame(once);
};

let port: MessagePort | undefined;
let asked = 0;
const waiting = new Map<number, (data: ArrayBuffer | null) => void>();

/** PortData gets pdf.js's own data files from the page around this frame. */
class PortData {
  fetch(what: { kind: string; filename: string }): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const n = ++asked;
      waiting.set(n, (data) => (data ? resolve(new Uint8Array(data)) : reject(new Error(`no ${what.filename}`))));
      port?.postMessage({ t: "data", n, kind: what.kind, name: what.filename });
    });
  }
}

addEventListener("message", (e) => {
  if (e.source !== window.parent || e.data !== "assent-viewer" || port || !e.ports[0]) return;
  port = e.ports[0];
  port.onmessage = (m: MessageEvent<{ t: string; pdf?: ArrayBuffer; draw?: boolean; n?: number; data?: ArrayBuffer | null }>) => {
    if (m.data.t === "open" && m.data.pdf) void open(m.data.pdf, m.data.draw !== false);
    if (m.data.t === "data" && m.data.n !== undefined) {
      waiting.get(m.data.n)?.(m.data.data ?? null);
      waiting.delete(m.data.n);
    }
  };
});

async function open(pdf: ArrayBuffer, draw: boolean): Promise<void> {
  try {
    const doc = await getDocument({
      data: new Uint8Array(pdf),
      enableXfa: false,
      useSystemFonts: false,
      useWorkerFetch: false,
      useWasm: true,
      isOffscreenCanvasSupported: false,
      disableWorkerRendering: true,
      BinaryDataFactory: PortData,
      cMapUrl: "port:/",
      cMapPacked: true,
      standardFontDataUrl: "port:/",
      wasmUrl: "port:/",
      stopAtErrors: false,
      verbosity: VerbosityLevel.ERRORS,
    } as Parameters<typeof getDocument>[0]).promise;
    const warnings = await look(doc);
    if (draw) await new Viewer(doc).start();
    port?.postMessage({ t: "drawn", pages: doc.numPages, warnings });
  } catch (e) {
    port?.postMessage({ t: "failed", code: e instanceof Error ? e.name : "unknown" });
  }
}

/** look finds what a picture of the pages does not show. */
async function look(doc: PDFDocumentProxy): Promise<string[]> {
  const out: string[] = [];
  const [actions, fields, attachments, layers, meta] = await Promise.all([doc.getJSActions(), doc.getFieldObjects(), doc.getAttachments(), doc.getOptionalContentConfig(), doc.getMetadata()]);
  const inFields = values(fields).flat().some((f) => values((f as { actions?: unknown } | null)?.actions).length > 0);
  if (inFields || values(actions).length > 0) out.push("script");
  if (values(attachments).length > 0) out.push("attachments");
  for (const [, group] of layers as unknown as Iterable<[string, { visible: boolean }]>) {
    if (!group.visible) out.push("layers");
  }
  if ((meta.info as { IsXFAPresent?: boolean }).IsXFAPresent) out.push("xfa");
  return [...new Set(out)];
}

/** values of what is a Map in some versions of pdf.js and an object in others. */
function values(o: unknown): unknown[] {
  if (o instanceof Map) return [...(o as Map<unknown, unknown>).values()];
  return typeof o === "object" && o !== null ? Object.values(o) : [];
}

const maxPixels = 16 << 20; // of one page's canvas
const maxZoom = 4;

/** Viewer draws pages as they come into view and offers their text. */
class Viewer {
  private zoom = 1;
  private current = 1;
  private readonly pages: Sheet[] = [];
  private readonly scroller = must("pages");
  private readonly where = must("where");

  constructor(private readonly doc: PDFDocumentProxy) {}

  async start(): Promise<void> {
    const first = await this.doc.getPage(1);
    const base = first.getViewport({ scale: 1 });
    for (let n = 1; n <= this.doc.numPages; n++) {
      const sheet = new Sheet(this.doc, n, base.width, base.height);
      this.pages.push(sheet);
      this.scroller.append(sheet.element);
    }
    this.buttons();
    this.layout();
    const seen = new IntersectionObserver((entries) => this.onSeen(entries), { root: this.scroller, rootMargin: "300px" });
    for (const p of this.pages) seen.observe(p.element);
    let width = this.scroller.clientWidth;
    new ResizeObserver(() => {
      if (this.scroller.clientWidth === width) return;
      width = this.scroller.clientWidth;
      this.layout();
    }).observe(this.scroller);
    this.scroller.addEventListener("scroll", () => this.locate(), { passive: true });
    this.locate();
    await this.pages[0]!.draw();
  }

  private onSeen(entries: IntersectionObserverEntry[]): void {
    for (const e of entries) {
      const sheet = this.pages.find((p) => p.element === e.target);
      if (!sheet) continue;
      sheet.near = e.isIntersecting;
      paint(sheet);
    }
  }

  private layout(): void {
    const width = Math.max(120, this.scroller.clientWidth - 24);
    for (const p of this.pages) {
      p.fit(width * this.zoom);
      paint(p);
    }
  }

  private buttons(): void {
    const on = (id: string, f: () => void) => must(id).addEventListener("click", f);
    on("previous", () => this.go(this.current - 1));
    on("next", () => this.go(this.current + 1));
    on("smaller", () => this.scale(1 / 1.25));
    on("larger", () => this.scale(1.25));
    for (const id of ["picture", "text"]) on(id, () => void this.mode(id));
  }

  private scale(by: number): void {
    this.zoom = Math.min(maxZoom, Math.max(0.5, this.zoom * by));
    this.layout();
    this.go(this.current);
  }

  private go(n: number): void {
    const sheet = this.pages[Math.min(this.pages.length, Math.max(1, n)) - 1];
    if (!sheet) return;
    if (document.body.dataset["mode"] === "text") document.getElementById(`text-${sheet.n}`)?.scrollIntoView();
    else this.scroller.scrollTop = sheet.element.offsetTop - 8;
    this.current = sheet.n;
    this.tell();
  }

  private locate(): void {
    const top = this.scroller.scrollTop + this.scroller.clientHeight / 3;
    let n = 1;
    for (const p of this.pages) if (p.element.offsetTop <= top) n = p.n;
    if (n === this.current && this.where.textContent) return;
    this.current = n;
    this.tell();
  }

  private tell(): void {
    this.where.textContent = `Page ${this.current} of ${this.pages.length}`;
    (must("previous") as HTMLButtonElement).disabled = this.current <= 1;
    (must("next") as HTMLButtonElement).disabled = this.current >= this.pages.length;
  }

  /** mode shows the pages as pictures or as text to be read or read out. */
  private async mode(id: string): Promise<void> {
    document.body.dataset["mode"] = id;
    for (const other of ["picture", "text"]) must(other).setAttribute("aria-pressed", String(other === id));
    if (id === "picture") return this.layout();
    const host = must("reading");
    if (host.childElementCount > 0) return;
    for (const p of this.pages) host.append(await p.text());
    document.getElementById(`text-${this.current}`)?.scrollIntoView();
  }
}

/** paint draws a page; one that cannot be drawn makes the document one that cannot be shown, also after it was. */
function paint(sheet: Sheet): void {
  sheet.draw().catch((e: unknown) => port?.postMessage({ t: "failed", code: e instanceof Error ? e.name : "unknown" }));
}

/** Sheet is one page. */
class Sheet {
  readonly element = document.createElement("div");
  near = false;
  private page: PDFPageProxy | undefined;
  private drawnAt = 0;
  private busy: Promise<void> | undefined;
  private width = 0;

  constructor(
    private readonly doc: PDFDocumentProxy,
    readonly n: number,
    private w: number,
    private h: number,
  ) {
    this.element.className = "sheet";
  }

  /** fit lays the page out at a width in CSS pixels. */
  fit(width: number): void {
    this.width = width;
    this.element.style.width = `${width}px`;
    this.element.style.height = `${(width * this.h) / this.w}px`;
  }

  /** draw draws once at a time, and again if the width changed meanwhile. */
  async draw(): Promise<void> {
    if (this.busy) return this.busy;
    this.busy = this.paint();
    try {
      await this.busy;
    } finally {
      this.busy = undefined;
    }
    if ((this.near || this.n === 1) && this.drawnAt !== this.width) await this.draw();
  }

  private async paint(): Promise<void> {
    if (!this.near && this.n !== 1) {
      this.element.replaceChildren(); // far away: give the memory back
      this.drawnAt = 0;
      return;
    }
    if (this.drawnAt === this.width) return;
    this.page ??= await this.doc.getPage(this.n);
    const base = this.page.getViewport({ scale: 1 });
    this.w = base.width;
    this.h = base.height;
    this.fit(this.width);
    const wanted = this.width;
    let scale = (wanted / base.width) * Math.min(2, window.devicePixelRatio || 1);
    scale = Math.min(scale, Math.sqrt(maxPixels / (base.width * base.height)));
    const viewport = this.page.getViewport({ scale });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(viewport.width));
    canvas.height = Math.max(1, Math.floor(viewport.height));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Page ${this.n} of ${this.doc.numPages} as a picture. Its words are in the text view.`);
    await this.page.render({ canvas, viewport, annotationMode: AnnotationMode.ENABLE, background: "#ffffff" }).promise;
    this.element.replaceChildren(canvas);
    this.drawnAt = wanted;
  }

  /** text returns the page's words as the document gives them. */
  async text(): Promise<HTMLElement> {
    const section = document.createElement("section");
    const h = document.createElement("h2");
    h.id = `text-${this.n}`;
    h.textContent = `Page ${this.n}`;
    section.append(h);
    const page = this.page ?? (await this.doc.getPage(this.n));
    const content = await page.getTextContent();
    let line = "";
    const lines: string[] = [];
    for (const item of content.items) {
      if (!("str" in item)) continue;
      line += item.str;
      if (item.hasEOL) {
        lines.push(line);
        line = "";
      }
    }
    lines.push(line);
    for (const l of lines.filter((s) => s.trim() !== "")) {
      const p = document.createElement("p");
      p.dir = "auto";
      p.textContent = l;
      section.append(p);
    }
    if (section.childElementCount === 1) {
      const p = document.createElement("p");
      p.className = "none";
      p.textContent = "This page has no readable text; it may be a picture.";
      section.append(p);
    }
    return section;
  }
}

function must(id: string): HTMLElement {
  const e = document.getElementById(id);
  if (!e) throw new Error(`viewer without #${id}`);
  return e;
}
