// The result step: what was signed, three equal fingerprints, the files.

import type { Relay, View } from "./api";
import { decode, equal, find, hexBytes, utf8, type Bytes } from "./b64";
import type { Config } from "./config";
import { digest, xmlValue } from "./crypto";
import { button, el, fill, foreign, say, show } from "./dom";
import { back, onward } from "./ends";
import { fingerprint } from "./fingerprint";
import { files, type Document, type Offer, type Part } from "./offer";
import { covered } from "./pdfhole";
import type { Receipt, SignedReceipt } from "./receipt";
import { size, moment, t } from "./strings";
import { base64, holdsBase64, signedDigests } from "./xades";

/** Result is the step after a verified receipt. */
export class Result {
  private readonly status = el("p", { role: "status", id: "result-status" });
  private readonly downloads = el("div", { class: "downloads" });

  constructor(
    private readonly cfg: Config,
    private readonly relay: Relay,
    private readonly offer: Offer,
    private readonly signed: SignedReceipt,
    private readonly receipt: Receipt,
  ) {}

  /** open shows the step; the documents may still be on their way. */
  open(): void {
    const docs = this.offer.documents;
    const name = this.offer.certificate.subject;
    show(
      docs.every((d) => d.parts.length > 0) ? t("result.title", { n: files(docs) }) : t("result.raw.title"),
      el("div", { class: "signed", id: "signed" }, el("p", {}, t("result.text", { name, time: moment(new Date(this.receipt.time)) })), this.status),
      this.downloads,
      el("h2", {}, t("result.three")),
      el("p", { class: "hint" }, t("result.three.explain")),
      ...docs.flatMap((d) => (d.parts.length === 0 ? [this.three(d)] : d.parts.map((p, i) => this.three(d, p, i)))),
      button(t("result.receipt"), () => this.saveReceipt(), { class: "act", id: "receipt" }),
      el("p", { class: "hint" }, t("result.receipt.explain")),
      el("p", { class: "hint" }, t("result.not_you", { id: this.offer.view.id })),
      onward(this.cfg, this.offer.view.return_url) ?? back(this.cfg, this.offer.view.id),
    );
    this.status.textContent = t("result.working");
  }

  /** finished offers the documents. */
  finished(): void {
    this.status.textContent = "";
    fill(
      this.downloads,
      ...this.offer.documents.filter((d) => d.parts.length > 0).map((d) => button(t("result.download", { name: d.item.name }), () => void this.save(d), { class: "act" })),
    );
  }

  /** note puts a sentence where progress is told. */
  note(text: string): void {
    this.status.textContent = text;
  }

  /** three are the fingerprints of one data object: as shown here, as approved, and inside of what was signed. */
  private three(d: Document, p?: Part, n = 0): HTMLElement {
    const approved = p ? (n === 0 ? d.item.doc : d.item.xades!.objects!.more[n - 1]!.doc) : d.item.dtbsr;
    const row = (label: string, value: HTMLElement | string, kind: string) => el("tr", { "data-kind": kind }, el("th", { scope: "row" }, label), el("td", {}, value));
    return el(
      "table",
      { class: "three" },
      el("caption", {}, foreign(d.item.xades?.objects ? `${d.item.name}: ${p!.name}` : d.item.name)),
      el(
        "tbody",
        {},
        row(t("result.shown"), p ? fingerprint(decode(p.doc)) : t("result.not_shown"), "shown"),
        row(t("result.approved"), fingerprint(decode(approved)), "approved"),
        row(t("result.signed"), fingerprint(this.signedDigest(d, n)), "signed"),
      ),
    );
  }

  /**
   * signedDigest is taken from what the verified signature covers: the
   * message-digest inside the attributes (for raw items the receipt's digest),
   * not from what was shown.
   */
  private signedDigest(d: Document, n: number): Bytes {
    if (!d.attributes) return decode(this.receipt.items[d.item.i]!.dtbsr);
    if (d.item.kind === "xades") return signedDigests(d.attributes)[n] ?? new Uint8Array(0);
    const mark = new Uint8Array([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04]); // id-messageDigest
    for (let i = 0; i + mark.length < d.attributes.length; i++) {
      // OID, SET header (2), OCTET STRING header (2), digest
      const at = i + mark.length;
      if (equal(d.attributes.subarray(i, at), mark)) return d.attributes.slice(at + 4, at + 4 + d.attributes[at + 3]!);
    }
    return new Uint8Array(0);
  }

  /** save fetches a signed file and keeps it only if it is the approved document. */
  private async save(d: Document): Promise<void> {
    const name = d.item.name;
    const xml = d.item.kind === "xades";
    let file: Bytes;
    try {
      // The user's XML may be longer than its canonical octets, which have no comments; in base64 three bytes are four.
      file = await this.relay.result(d.item.i, (contained(d) ? 2 * d.size : xml ? this.cfg.maxDocument : d.size) + (this.longTerm() ? 64 << 20 : 1 << 20));
    } catch {
      return this.note(t("result.download.failed"));
    }
    if (xml) return this.saveXML(d, file);
    // The signed file is the shown one with its hole filled by the signature of the
    // receipt. Behind it only the long-term levels add anything, which this page does
    // not read: an update could replace a page, so the signer is told to verify.
    const more = file.length - d.size;
    const fits = more === 0 || (more > 0 && this.longTerm());
    const value = decode(this.receipt.items[d.item.i]!.signature);
    const filled = d.hole && find(hexBytes(file.subarray(d.hole.start + 1, d.hole.end - 1)), value) >= 0;
    const same = d.hole && filled && fits && equal(await digest(this.offer.hash, covered(file.subarray(0, d.size), d.hole)), decode(d.item.doc));
    if (!same) return this.note(t("result.download.bad"));
    download(file, name.replace(/(\.pdf)?$/i, "-signed.pdf"), "application/pdf");
    this.note(more === 0 ? t("result.download.ok", { name }) : t("result.download.longer", { name, size: size(d.size), more: size(more) }));
  }

  /** longTerm: the level that the signer saw adds validation data behind the signature. */
  private longTerm(): boolean {
    return this.offer.view.level === "B-LT" || this.offer.view.level === "B-LTA";
  }

  /**
   * saveXML keeps a file that has the very signature that was approved in it, and the very
   * file that stands in it in base64. That the rest of XML is the document, only a reader of XML
   * can tell, which this page is not; the signature shows it to every verifier.
   */
  private saveXML(d: Document, file: Bytes): void {
    const name = d.item.name;
    const value = base64(xmlValue(this.offer.request.bind.alg, decode(this.receipt.items[d.item.i]!.signature)));
    const parts = [d.attributes!, d.properties!, utf8(`>${value}</ds:SignatureValue>`)];
    const holds = !contained(d) || holdsBase64(file, '-object">', d.parts[0]!.bytes, "</ds:Object>");
    const mine = holds && parts.every((part) => find(file, part) >= 0);
    if (!mine) return this.note(t("result.download.bad"));
    download(file, d.item.xades?.form === "detached" || contained(d) ? `${name}.xades.xml` : name.replace(/(\.xml)?$/i, "-signed.xml"), "application/xml");
    this.note(t("result.download.xml", { name }));
  }

  private saveReceipt(): void {
    download(new TextEncoder().encode(JSON.stringify(this.signed, null, 1)), `receipt-${this.offer.view.id}.json`, "application/json");
    say(t("result.receipt"));
  }
}

/** contained: the file stands in base64 inside of the signature. */
const contained = (d: Document) => d.item.xades?.form === "enveloping-base64";

function download(bytes: Bytes, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  el("a", { href: url, download: name.replace(/[\\/:*?"<>|]/g, "_") }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** over tells whether an operation changes no more. */
export function over(v: View): boolean {
  return ["finished", "declined", "cancelled", "expired", "failed"].includes(v.state);
}

/** receiptTerms names what a receipt must be about. */
export function receiptTerms(offer: Offer, sad: Bytes, proof: Bytes) {
  return {
    sad, proof, aud: offer.request.bind.aud, alg: offer.request.bind.alg, certificate: offer.certificate.der, spki: offer.certificate.spki,
    items: offer.documents.map((d) => ({ dtbsr: d.item.dtbsr, raw: d.item.kind === "raw", ...(d.attributes ? { attributes: d.attributes } : {}) })),
  };
}

