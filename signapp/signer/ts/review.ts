// The review step: who asks for what and why, the documents themselves, the
// certificate, how often the approval counts, and two equal buttons. Approving is
// an act of its own, with names and count (SAP-08); each document can be opened
// before (BLK-04).

import { decode } from "./b64";
import type { Config } from "./config";
import { misfit, type Misfit } from "./datatype";
import { button, el, facts, fill, foreign, say, show, type Child } from "./dom";
import { fingerprint } from "./fingerprint";
import { files, type Document, type Offer, type Part } from "./offer";
import { listing } from "./pdfcensus";
import { hazards } from "./pdfhazards";
import { twofaced } from "./pdfpages";
import { clock, day, has, moment, size, t, type Key } from "./strings";
import { openOctets, openText } from "./textview";
import { openFrame, type Frame } from "./viewerframe";
import { further, type XAdES } from "./xades";

/** What the review step asks its owner to do. */
export interface Decisions {
  approve(cred: string): void;
  decline(reason: string): void;
  moreTime(): void;
}

/** Pane is one data object that can be opened: a document, or one of several that a signature is over. */
interface Pane extends Part {
  k: number; // position of all
  d: Document;
  title: string;
  misfit: Misfit | ""; // what is wrong with its type
}

/** label names what a document is shown as; a key of the strings, with ".note" for what that means. */
function label(p: Pane): "review.xml" | "review.text" | "review.octets" | "review.document" {
  if (p.look === "octets") return "review.octets";
  if (p.look !== "text") return "review.document";
  return p.d.item.xades?.form === "detached" || p.d.item.xades?.form === "enveloping-base64" ? "review.text" : "review.xml";
}

const countAhead = 20; // documents that are counted before they are opened

/** Review is the step on the page. */
export class Review {
  private readonly status = el("div", { class: "status" });
  private readonly time = el("p", {});
  private readonly warnings = el("div", {});
  private readonly note = el("p", { class: "hint" });
  private readonly stage = el("div", { class: "stage" });
  private readonly counter = el("div", { class: "counter" });
  private readonly unopened = el("p", { class: "hint" });
  private readonly sign: HTMLButtonElement;
  private readonly no: HTMLButtonElement;
  private readonly actions = el("div", { class: "actions" });
  private readonly rows = new Map<number, { state: HTMLElement; open: HTMLButtonElement }>();
  private readonly opened = new Set<number>();
  private readonly failed = new Set<number>();
  private readonly hazards = new Map<number, Set<string>>(); // of PDFs that were looked through
  private readonly panes: Pane[] = [];
  private frame: Frame | undefined;
  private waiting = 0; // documents being drawn
  private busy = false;
  private over = false;
  private last = false; // the sender's time ends before the request does: there is no more
  private cred: string;
  private timer: ReturnType<typeof setInterval> | undefined;
  private ends = 0; // by performance.now()
  private warned = false;

  constructor(
    private readonly cfg: Config,
    private readonly offer: Offer,
    private readonly decisions: Decisions,
  ) {
    this.cred = offer.request.creds[0]!;
    for (const d of offer.documents) {
      for (const part of d.parts) {
        const title = d.item.xades?.form === "internally-detached" ? t("review.element", { id: part.name, name: d.item.name }) : part.name;
        this.panes.push({ ...part, k: this.panes.length, d, title, misfit: part.mime === undefined ? "" : misfit(part.look, part.mime, part.bytes) });
      }
    }
    this.sign = button(this.signText(), () => this.press(), { class: "act", id: "sign" });
    this.no = button(t("review.decline"), () => this.askDecline(), { class: "act", id: "decline" });
  }

  /** open shows the step. */
  open(): void {
    const docs = this.offer.documents;
    const raw = docs.filter((d) => d.item.kind === "raw");
    const title = raw.length === 0 ? t("review.title", { n: files(docs) }) : raw.length === docs.length ? t("review.raw.title", { n: docs.length }) : t("review.mixed.title", { n: docs.length });
    const shown = this.panes;
    show(
      title,
      el("div", { class: shown.length > 0 ? "review" : "review narrow" }, this.asking(raw.length > 0), shown.length > 0 && this.documentSection(), this.signing(), this.deciding()),
    );
    this.ready();
    const first = shown[0];
    if (first) void this.display(first).then(() => this.countOthers());
  }

  /** close stops clocks and frames. */
  close(): void {
    clearInterval(this.timer);
    this.frame?.close();
    fill(this.counter);
  }

  /** renewed is called when the SAM gave more time. */
  renewed(offer: Offer): void {
    this.offer.request = offer.request;
    this.over = false;
    this.startClock();
    this.idle(t(this.last ? "review.time.left" : "review.time.renewed", { time: this.deadline() }));
  }

  /** wait says what is being waited for; the buttons rest meanwhile. */
  wait(text: string): void {
    this.busy = true;
    this.ready();
    fill(this.status, el("p", { class: "working" }, text));
    say(text);
  }

  /** hold keeps the buttons at rest and offers one way on. */
  hold(text: string, ...more: Child[]): void {
    this.idle(text, ...more);
    this.busy = true;
    this.ready();
  }

  /** idle ends waiting and leaves a message. */
  idle(text: string, ...more: Child[]): void {
    this.busy = false;
    this.ready();
    fill(this.status, el("div", { role: "alert", class: "notice" }, el("p", {}, text), ...more));
  }

  private asking(raw: boolean): HTMLElement {
    const v = this.offer.view;
    const list = el("ul", { class: "files" }, ...this.offer.documents.map((d) => this.file(d)));
    return el(
      "section",
      { class: "asking" },
      facts(
        [t("review.who"), el("strong", {}, foreign(v.asker))],
        [t("review.why"), v.purpose === "" ? t("review.no_purpose") : foreign(v.purpose)],
      ),
      el("h2", {}, t("review.files")),
      raw && el("p", { class: "warning" }, t("review.raw")),
      list,
    );
  }

  private file(d: Document): HTMLElement {
    const panes = this.panes.filter((p) => p.d === d);
    const several = panes.length > 1 || d.item.xades?.form === "internally-detached";
    const together = panes.length > 1 && d.item.xades?.form === "detached"; // none of the files is more than the others
    return el(
      "li",
      {},
      el("div", { class: "name" }, el("strong", {}, together ? t("review.together", { n: panes.length }) : foreign(d.item.name))),
      panes.length === 0 && el("div", { class: "hint" }, el("span", { class: "state" }, t("review.raw.short"))),
      panes.length === 0 && el("div", { class: "hint" }, `${t("review.fingerprint")}: `, fingerprint(decode(d.item.dtbsr))),
      d.item.xades && properties(d.item.xades, d.item.name),
      ...panes.map((p) => this.row(p, several)),
      d.hole?.terms.certifies && el("p", { class: "warning" }, t(`review.certifies.${d.hole.terms.certifies}`)),
      d.hole?.terms.locks && el("p", { class: "warning" }, t("review.locks")),
    );
  }

  /** row tells of one data object, with its name where an item has several. */
  private row(p: Pane, named: boolean): HTMLElement {
    const state = el("span", { class: "state" }, `${p.look === "pdf" ? t("review.pages.unknown") : t(label(p))}, ${t("review.not_opened")}`);
    const open = button(t("review.open", { name: p.title }), () => void this.display(p), { class: "quiet" });
    this.rows.set(p.k, { state, open });
    return el(
      "div",
      { class: named ? "part among" : "part" },
      named && el("div", { class: "name" }, foreign(p.title)),
      el("div", { class: "hint" }, `${size(p.bytes.length)}, `, state),
      el("div", { class: "hint" }, `${t("review.fingerprint")}: `, fingerprint(decode(p.doc))),
      p.misfit !== "" && el("p", { class: "warning" }, t(`review.misfit.${p.misfit}`, { name: p.title, mime: p.mime! })),
      p.look === "octets" && el("p", { class: "warning" }, t("review.octets.warning")),
      this.panes.length > 1 && open,
    );
  }

  private documentSection(): HTMLElement {
    return el(
      "section",
      { class: "document", "aria-labelledby": "document-heading" },
      el("h2", { id: "document-heading" }, t("review.document.heading")),
      this.note,
      this.warnings,
      this.stage,
      this.counter,
    );
  }

  private signing(): HTMLElement {
    const { certificate: c, view: v, request: r } = this.offer;
    const now = Date.now();
    const valid = now >= c.notBefore.getTime() && now <= c.notAfter.getTime();
    const level = `review.level.${v.level}`;
    const assurance = `review.assurance.${r.assurance}`;
    return el(
      "section",
      { class: "signing" },
      el("h2", {}, t("review.signature")),
      facts(
        [t("review.holder"), el("strong", {}, foreign(c.subject))],
        [t("review.issuer"), foreign(c.issuer)],
        [t("review.validity"), t(valid ? "review.validity.range" : "review.validity.expired", { from: day(c.notBefore), to: day(c.notAfter) })],
        [t("review.level"), has(level) ? t(level) : t("review.level.other", { level: v.level })],
        [t("review.assurance"), has(assurance) ? t(assurance) : foreign(r.assurance)],
        [t("review.use"), el("strong", {}, t("review.use.text", { n: r.bind.n }))],
      ),
      this.passkeys(),
    );
  }

  /** passkeys lets a signer with several passkeys choose the one at hand. */
  private passkeys(): HTMLElement | undefined {
    const creds = this.offer.request.creds;
    if (creds.length < 2) return undefined;
    const select = el("select", { id: "passkey", onchange: () => (this.cred = creds[select.selectedIndex]!) });
    creds.forEach((c, i) => select.append(el("option", { value: String(i) }, t("review.passkey.n", { i: i + 1, end: c.slice(-4) }))));
    return el("p", {}, el("label", { for: "passkey" }, t("review.passkey")), " ", select);
  }

  private deciding(): HTMLElement {
    fill(this.actions, this.sign, this.no);
    return el("section", { class: "deciding" }, el("h2", {}, t("review.decide")), this.unopened, this.time, this.actions, this.status);
  }

  private signText(): string {
    const docs = this.offer.documents;
    const raw = docs.filter((d) => d.item.kind === "raw").length;
    const elements = docs.filter((d) => d.item.xades?.form === "internally-detached").length;
    const n = raw > 0 ? docs.length : docs.reduce((sum, d) => sum + d.parts.length, 0);
    const all: Key = elements === 0 ? "review.sign" : docs.length === 1 ? "review.sign.elements" : "review.sign.parts";
    const key: Key = raw === 0 ? all : raw === docs.length ? "review.sign.raw" : "review.sign.mixed";
    return t(key, { n, name: this.offer.certificate.subject });
  }

  private async display(p: Pane): Promise<void> {
    this.frame?.close();
    fill(this.warnings);
    this.note.textContent = t(`${label(p)}.note`);
    if (p.look !== "pdf") return this.displayText(p);
    if (!this.cfg.viewer) {
      this.failed.add(p.k);
      fill(this.stage, el("p", { class: "warning" }, t("review.no_viewer")));
      return this.ready();
    }
    fill(this.stage);
    const frame = openFrame(this.stage, t("review.document", { name: p.title }), p.bytes);
    this.frame = frame;
    void frame.incomplete.then((lost) => {
      if (this.frame !== frame) return;
      if (!lost) return this.cannotShow(p);
      this.cannotShow(p, t("review.incomplete", { name: p.title }), button(t("common.try_again"), () => void this.display(p), { class: "act", id: "show-again" }));
    });
    say(t("review.loading_document"));
    this.waiting++;
    this.ready();
    try {
      const drawn = await frame.drawn;
      const found = await this.look(p, drawn.warnings);
      if (this.frame !== frame) return;
      this.shown(p, t("review.pages", { n: drawn.pages }));
      fill(this.warnings, ...[...found].map((w) => el("p", { class: "warning" }, t(`review.warn.${w}` as Key))));
    } catch {
      // A frame that was closed for another document is no failure of this one.
      if (this.frame === frame) this.cannotShow(p);
    } finally {
      this.waiting--;
      this.ready();
    }
  }

  /** displayText shows the octets that were hashed as text, or by their numbers. */
  private displayText(p: Pane): void {
    this.frame = undefined;
    try {
      (p.look === "text" ? openText : openOctets)(this.stage, t("review.document", { name: p.title }), p.bytes);
      this.shown(p, t(label(p)));
    } catch {
      this.cannotShow(p);
    }
    this.ready();
  }

  /** whole: nothing is known that could not be shown. */
  get whole(): boolean {
    return this.failed.size === 0;
  }

  /** shown marks a document as the one on the screen. */
  private shown(p: Pane, what: string): void {
    this.opened.add(p.k);
    this.failed.delete(p.k);
    this.rows.get(p.k)!.state.textContent = `${what}, ${t("review.shown_now")}`;
    for (const [k, other] of this.rows) if (k !== p.k) other.state.textContent = other.state.textContent!.replace(`, ${t("review.shown_now")}`, "");
  }

  private cannotShow(p: Pane, text = t("review.blocked", { name: p.title }), ...more: Child[]): void {
    this.failed.add(p.k);
    this.opened.delete(p.k);
    this.rows.get(p.k)!.state.textContent = t("review.cannot_show");
    this.frame?.close();
    this.frame = undefined;
    fill(this.stage, el("div", { class: "warning", role: "alert" }, el("p", {}, text), ...more));
    this.ready();
  }

  /** countOthers opens the other documents out of sight, one by one; all of them where each is looked through. */
  private async countOthers(): Promise<void> {
    for (const p of this.panes.slice(0, this.strict() ? undefined : countAhead)) {
      if (p.look !== "pdf" || this.opened.has(p.k) || this.failed.has(p.k)) continue;
      const frame = openFrame(this.counter, "", p.bytes, false);
      try {
        const { pages, warnings } = await frame.drawn;
        await this.look(p, warnings);
        if (!this.opened.has(p.k)) this.rows.get(p.k)!.state.textContent = `${t("review.pages", { n: pages })}, ${t("review.not_opened")}`;
      } catch {
        this.failed.add(p.k);
        this.rows.get(p.k)!.state.textContent = t("review.cannot_show");
        this.ready();
      } finally {
        frame.close();
        this.ready();
      }
    }
  }

  /** look finds what the picture of a PDF does not show. What a frame says adds to it and takes nothing away. */
  private async look(p: Pane, told: string[]): Promise<Set<string>> {
    const found = this.hazards.get(p.k) ?? (await hazards(p.bytes));
    if (!this.hazards.has(p.k)) {
      const listed = await listing(p.bytes);
      if (!listed) found.add("damaged");
      else if (!found.has("unread") && (await twofaced(p.bytes, listed))) found.add("faces");
    }
    for (const w of told) found.add(w);
    this.hazards.set(p.k, found);
    return found;
  }

  /**
   * strict tells whether the signature can be a qualified one, by the policy or by what
   * the SAM says of the key: then no document is signed which may show something else
   * than the signer saw, or does something by itself. The policy is the service's choice.
   */
  private strict(): boolean {
    return this.offer.request.bind.policy === "qualified" || this.offer.request.assurance === "SCAL2-QSCD";
  }

  /** hazard tells why the policy keeps the documents from being signed; "" for nothing. */
  private hazard(): string {
    if (!this.strict()) return "";
    const unread = this.panes.find((p) => p.look === "octets");
    if (unread) return t("review.octets.strict", { name: unread.title });
    const other = this.panes.find((p) => p.misfit !== "");
    if (other) return t("review.misfit.strict", { name: other.title });
    const pdfs = this.panes.filter((p) => p.look === "pdf");
    const bad = pdfs.find((p) => (this.hazards.get(p.k)?.size ?? 0) > 0);
    if (bad) return t("review.hazard", { name: bad.title });
    if (pdfs.some((p) => !this.hazards.has(p.k))) return t("review.wait.looking");
    // Of what one signature covers, its signer has seen each.
    const unseen = this.panes.filter((p) => p.d.parts.length > 1 && !this.opened.has(p.k)).length;
    return unseen > 0 ? t("review.unopened.strict", { n: unseen }) : "";
  }

  /**
   * ready sets the buttons. Signing needs that the document was drawn and that
   * none is known to be impossible to show; saying no is always possible. A
   * button that rests keeps its place and the focus (aria-disabled).
   */
  private ready(): void {
    const missing = this.panes.filter((p) => !this.opened.has(p.k) && !this.failed.has(p.k)).length;
    const blocked = this.panes.find((p) => this.failed.has(p.k));
    this.sign.setAttribute("aria-disabled", String(this.why() !== ""));
    this.no.setAttribute("aria-disabled", String(this.busy));
    const hazard = this.waiting === 0 ? this.hazard() : "";
    this.unopened.textContent = blocked ? t("review.blocked", { name: blocked.title }) : hazard ? hazard : this.panes.length > 1 && missing > 0 && this.opened.size > 0 ? t("review.unopened", { n: missing }) : "";
  }

  /** why tells what keeps the signer from signing now; "" for nothing. */
  private why(): string {
    const blocked = this.panes.find((p) => this.failed.has(p.k));
    if (blocked) return this.cfg.viewer ? t("review.blocked", { name: blocked.title }) : t("review.no_viewer");
    if (this.over) return t(this.last ? "review.time.ended" : "review.time.over");
    if (this.waiting > 0) return t("review.wait.drawing");
    const hazard = this.hazard();
    if (hazard) return hazard;
    return this.busy ? " " : "";
  }

  private press(): void {
    const why = this.why();
    if (why.trim() !== "" && !this.busy) return this.idle(why, this.over && this.more());
    if (why === "") this.decisions.approve(this.cred);
  }

  private askDecline(): void {
    if (this.busy) return;
    const reason = el("input", { id: "reason", type: "text", maxlength: "300", autocomplete: "off" });
    const back = () => {
      fill(this.actions, this.sign, this.no);
      this.no.focus();
    };
    fill(
      this.actions,
      el(
        "form",
        { class: "decline", onsubmit: (e) => (e.preventDefault(), this.decisions.decline(reason.value.trim())) },
        el("h3", {}, t("decline.title")),
        el("label", { for: "reason" }, t("decline.reason")),
        reason,
        el("div", { class: "actions" }, button(t("decline.confirm"), () => this.decisions.decline(reason.value.trim()), { class: "act", id: "confirm-decline" }), button(t("common.back"), back, { class: "act" })),
      ),
    );
    reason.focus();
  }

  /**
   * startClock counts the SAM's own span from now, so that a wrong clock on this
   * device neither shortens nor lengthens it.
   */
  startClock(): void {
    const b = this.offer.request.bind;
    // The sender's own end may come before; it is on the application's clock, which only the application goes by.
    this.last = this.offer.view.expires <= b.exp;
    this.ends = performance.now() + (Math.min(b.exp, this.offer.view.expires) - b.iat) * 1000 - 2000;
    this.warned = false;
    this.time.textContent = t("review.time.left", { time: this.deadline() });
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), 1000);
  }

  /** left is the time in ms until the request ends. */
  left(): number {
    return this.ends - performance.now();
  }

  private deadline(): string {
    return clock(new Date(Date.now() + this.left()));
  }

  /** more asks for more time; where there is none, for how the request ended. */
  private more(): HTMLElement {
    return button(t(this.last ? "common.continue" : "review.time.more"), () => this.decisions.moreTime(), { class: "act", id: "more-time" });
  }

  private tick(): void {
    const left = this.left();
    if (left <= 0 && !this.over) {
      this.over = true;
      this.time.textContent = "";
      if (!this.busy) this.idle(t(this.last ? "review.time.ended" : "review.time.over"), this.more());
      this.ready();
    } else if (left > 0 && left < 60_000 && !this.warned && !this.busy) {
      this.warned = true;
      const n = Math.max(20, Math.ceil(left / 1000));
      this.idle(t(this.last ? "review.time.last" : "review.time.soon", { n }), !this.last && this.more());
    }
  }
}

/** properties lists what an XAdES signature says besides the document; all of it is signed. */
function properties(x: XAdES, name: string): HTMLElement {
  const several = further(x).length > 0;
  const rows: [string, Child][] = [
    [t("xades.form"), form(several && x.form === "detached" ? "files" : x.form)],
    [t("xades.time"), moment(new Date(x.time * 1000))],
    [several ? t("xades.more", { name: x.objects?.part || name }) : t("xades.mime"), foreign(x.mime)],
  ];
  if (x.description !== "") rows.push([t("xades.description"), foreign(x.description)]);
  for (const o of further(x)) {
    rows.push([t("xades.more", { name: o.name }), foreign(o.mime)]);
    if (o.description !== "") rows.push([t("xades.description"), foreign(o.description)]);
  }
  for (const c of x.commitments) rows.push([t("xades.commitment"), commitment(c)]);
  for (const r of x.roles) rows.push([t("xades.role"), foreign(r)]);
  for (const part of ["street", "postal", "city", "state", "country"] as const) {
    if (x.place[part] !== "") rows.push([t(`xades.place.${part}`), foreign(x.place[part])]);
  }
  if (x.policy.id !== "") rows.push([t("xades.policy"), foreign(`${x.policy.id} (${x.policy.hash} ${x.policy.digest})`)]);
  return facts(...rows);
}

/** form says what the signature is over. */
function form(name: string): Child {
  const key = `xades.form.${name}`;
  return has(key) ? t(key) : foreign(name);
}

const etsi = "http://uri.etsi.org/01903/v1.2.2#";

/** commitment says the types of EN 319 132-1 in words, others by their identifier. */
function commitment(uri: string): Child {
  const key = `xades.commitment.${uri.slice(etsi.length)}`;
  return uri.startsWith(etsi) && has(key) ? t(key) : foreign(uri);
}
