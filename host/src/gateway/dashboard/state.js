// How a provider, a model or a key stands, as a mark with words and, where it ends by itself, a clock.

import { countdown } from "./clock.js";
import { el, show } from "./element.js";

const TONES = {
  available: "ok",
  "rate-limited": "wait",
  "out-of-quota": "wait",
  "temporarily-disabled": "bad",
  rejected: "bad",
  probing: "probe",
  "switched-off": "idle",
  "not-initialised": "idle",
};

const WORDS = {
  "temporarily-disabled": "left alone",
  "out-of-quota": "out of quota",
  "switched-off": "switched off",
  "not-initialised": "no key",
};

/** The tone of a state: `ok`, `wait`, `bad`, `probe` or `idle`. */
export function toneOf(state) {
  return TONES[state.name] ?? "idle";
}

export function wordsOf(state) {
  return WORDS[state.name] ?? state.name.replaceAll("-", " ");
}

/** A pill with the state's words and its clock. */
export function pill(state) {
  const element = el("span");
  updatePill(element, state);
  return element;
}

/** Changes a pill only where the state differs, so that its clock goes on. */
export function updatePill(element, state) {
  element.className = `pill ${toneOf(state)}`;
  element.title = state.why ?? "";
  show(element, [state.name, state.until], () => [
    el("span", { class: "dot" }),
    wordsOf(state),
    state.until && countdown(state.until),
  ]);
}
