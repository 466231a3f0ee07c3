// Elements made in code. Text goes in as text and nothing else: what a provider says of itself is never read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (`on: {click}`) and children: nodes, words, or nothing. */
export function el(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || (value === false && !name.startsWith("aria-"))) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      // What is said to readers of the screen is a word; what switches something on is there or not.
      element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
    }
  }
  element.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** A button. */
export function button(words, click, attributes = {}) {
  return el("button", { type: "button", class: "button", ...attributes, on: { click } }, words);
}

/** Changes an element's text where it differs, so that a selection and a reader's place survive. */
export function say(element, text) {
  const words = String(text ?? "");
  if (element.textContent !== words) element.textContent = words;
}

/** Replaces an element's children where what they show has changed. */
export function show(element, shown, make) {
  const mark = JSON.stringify(shown);
  if (element.shown === mark) return;
  element.shown = mark;
  element.replaceChildren(...[make()].flat(2).filter(Boolean));
}

/** Keeps one child for each item, in order; a child stays the same element as long as its item's key is there. */
export function keyed(parent, items, keyOf, make, update) {
  const keys = new Set(items.map(keyOf));
  // First what goes, so that nothing that stays has to be moved, which would cost it the focus.
  for (const child of [...parent.children]) if (!keys.has(child.keyed)) child.remove();
  const old = new Map([...parent.children].map((child) => [child.keyed, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = old.get(key) ?? make(item);
    child.keyed = key;
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}
