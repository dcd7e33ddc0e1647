// Building the page without markup strings: no text can become an element.

type Attrs = Record<string, string | boolean | ((e: Event) => void)>;
export type Child = Node | string | undefined | false;

/** el makes an element; on* attributes are listeners. */
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attrs: Attrs = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, v] of Object.entries(attrs)) {
    if (typeof v === "function") e.addEventListener(name.slice(2), v);
    else if (typeof v === "boolean") e.toggleAttribute(name, v);
    else e.setAttribute(name, v);
  }
  fill(e, ...children);
  return e;
}

/** fill puts children into an element, in the place of those it had. */
export function fill(e: Element, ...children: Child[]): void {
  e.replaceChildren(...children.filter((c): c is Node | string => c !== undefined && c !== false));
}

/** button is always of type button. */
export function button(text: string, press: () => void, attrs: Attrs = {}): HTMLButtonElement {
  return el("button", { type: "button", onclick: press, ...attrs }, text);
}

/** foreign keeps text of others apart in direction from ours. */
export function foreign(text: string): HTMLElement {
  return el("bdi", {}, text);
}

/** facts is a list of names and values. */
export function facts(...rows: [string, Child][]): HTMLElement {
  return el("dl", { class: "facts" }, ...rows.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]));
}

/** root is where a step is shown. */
function root(): HTMLElement {
  const m = document.getElementById("step");
  if (!m) throw new Error("page without a place for its steps");
  return m;
}

/** show puts one step on the page and moves the focus to its heading. */
export function show(title: string, ...children: Child[]): void {
  const h = el("h1", { tabindex: "-1" }, title);
  fill(root(), h, ...children);
  document.title = title;
  h.focus();
  window.scrollTo(0, 0);
}

/** say speaks a polite sentence in the live region, for those who do not see. */
export function say(text: string): void {
  const e = document.getElementById("live");
  if (e) e.textContent = text;
}
