// A word at the lower edge that something was done, or was not.

import { el } from "./element.js";

const STAYS_MS = 5_000;

export function toast(words, tone = "ok") {
  const element = el("p", { class: `toast ${tone}` }, words);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), tone === "bad" ? 2 * STAYS_MS : STAYS_MS);
}
