// The gateway's time, and everything on the page that runs down to a moment of it.

import { svg, el, say } from "./element.js";
import { clock } from "./words.js";

let ahead = 0;
const waiting = new Set();

/** Takes the gateway's clock for the right one: a browser's may be off by minutes. */
export function setClock(serverNow) {
  ahead = serverNow - Date.now();
}

/** The gateway's time, in milliseconds since 1970. */
export function now() {
  return Date.now() + ahead;
}

/** Calls when a clock on the page has run down. */
export function onZero(listener) {
  waiting.add(listener);
}

/** A clock that runs down to `until`, with a ring that empties. */
export function countdown(until) {
  const end = Date.parse(until);
  const ring = svg("circle", { cx: 8, cy: 8, r: 6, pathLength: 1, class: "ring-left" });
  const face = svg(
    "svg",
    { viewBox: "0 0 16 16", class: "ring", "aria-hidden": true },
    svg("circle", { cx: 8, cy: 8, r: 6, class: "ring-all" }),
    ring,
  );
  const digits = el("span", { class: "digits" });
  const element = el(
    "span",
    { class: "countdown", role: "timer", title: `until ${new Date(end).toLocaleString("en-GB")}` },
    face,
    digits,
  );
  element.countdown = { end, whole: Math.max(1, end - now()), ring, digits };
  turn(element);
  return element;
}

/** Moves every clock on the page; to be called a few times a second. */
export function turnAll() {
  for (const element of document.querySelectorAll(".countdown")) turn(element);
}

function turn(element) {
  const { end, whole, ring, digits, isOver } = element.countdown;
  const left = end - now();
  say(digits, left > 0 ? clock(left / 1000) : "due");
  ring.style.strokeDashoffset = String(1 - Math.max(0, left / whole));
  if (left <= 0 && !isOver) {
    element.countdown.isOver = true;
    for (const listener of waiting) listener();
  }
}
