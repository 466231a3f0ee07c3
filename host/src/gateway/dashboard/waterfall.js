// A request's attempts and waits as bars along its time: what ran when, beside what, and how it ended.

import { el } from "./element.js";
import { colourOf } from "./palette.js";
import { length } from "./words.js";

/**
 * The spans of a record's steps, in the order they began: `{kind: "attempt" | "wait", target, from, to, answered?, end,
 * words}`, times in milliseconds since the request began. An attempt the record does not end goes on to the end of the
 * request.
 */
export function spansOf({ steps, took_ms: total }) {
  const spans = [];
  const flying = (target) =>
    spans.findLast((span) => span.kind === "attempt" && span.target === target && span.end === "open");
  const finish = (step, end, words) => {
    const span = flying(step.target);
    if (span) Object.assign(span, { to: step.at_ms, end, words });
  };
  for (const step of steps) {
    switch (step.event) {
      case "waiting":
        spans.push({
          kind: "wait",
          target: step.target,
          from: step.at_ms,
          to: null,
          most: step.at_ms + step.wait_ms,
          end: "waited",
          words: "waits",
        });
        break;
      case "attempting":
        spans.push({
          kind: "attempt",
          target: step.target,
          from: step.at_ms,
          to: total,
          end: "open",
          words: "under way",
        });
        break;
      case "failed":
        finish(step, "failed", failureWords(step.failure));
        break;
      case "cancelled":
        finish(step, "cancelled", "cancelled: another was faster");
        break;
      case "served":
        Object.assign(flying(step.target) ?? {}, { answered: step.at_ms, words: "answers" });
        break;
      case "completed":
        finish(step, "served", "answered");
        break;
      default:
    }
    endWait(spans, step);
  }
  for (const span of spans) settle(span, total);
  return spans;
}

/** A wait ends with the next step, or when its time is over. */
function endWait(spans, step) {
  const wait = spans.findLast((span) => span.kind === "wait" && span.to === null);
  if (wait && step.event !== "waiting") wait.to = Math.min(step.at_ms, Math.max(wait.most, wait.from));
}

function settle(span, total) {
  span.to = Math.max(span.from, Math.min(span.to ?? Math.min(span.most, total), Math.max(total, span.from)));
  if (span.end === "open" && span.answered !== undefined) span.end = "served";
}

/** A failure in a word or two. */
export function failureWords({ kind, status }) {
  return status ? `${kind.replaceAll("-", " ")} (HTTP ${status})` : kind.replaceAll("-", " ");
}

/** The drawing, or nothing where there is nothing to draw. */
export function waterfall(record) {
  const spans = spansOf(record);
  if (spans.length === 0) return null;
  const total = Math.max(record.took_ms, ...spans.map((span) => span.to), 1);
  const rows = spans.map((span) => row(span, total));
  return el("div", { class: "waterfall" }, scale(total), el("ol", { class: "lanes" }, rows));
}

function scale(total) {
  // One too near to the right edge would stand over it: the headline says how long all of it took.
  const named = marksOf(total).filter((ms) => ms < 0.93 * total);
  const marks = named.map((ms) => {
    const mark = el("span", {}, ms === 0 ? "0" : length(ms));
    mark.style.left = `${(ms / total) * 100}%`;
    return mark;
  });
  return el("div", { class: "scale", "aria-hidden": true }, el("span"), el("div", { class: "scale-marks" }, marks));
}

/** Round moments of a length of time, three to six of them. */
export function marksOf(total) {
  const power = 10 ** Math.floor(Math.log10(total / 5));
  const step = [1, 2, 5].map((factor) => factor * power).find((size) => total / size <= 5) ?? 10 * power;
  return Array.from({ length: Math.floor(total / step + 1e-9) + 1 }, (_, place) => place * step);
}

function row(span, total) {
  const place = (element, from, to) => {
    element.style.left = `${(from / total) * 100}%`;
    element.style.width = `${Math.max(0, ((to - from) / total) * 100)}%`;
    return element;
  };
  const bars = [place(el("span", { class: `span ${span.kind} ${span.end}` }), span.from, span.to)];
  if (span.answered !== undefined) bars.push(place(el("span", { class: "span flow" }), span.answered, span.to));
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colourOf(span.target.split("/")[0]);
  const took = length(span.to - span.from);
  return el(
    "li",
    { class: "lane", title: `${span.target}: ${span.words}, ${took}` },
    el("span", { class: "lane-name" }, swatch, el("span", { class: "target" }, span.target)),
    el(
      "span",
      { class: "lane-bars" },
      marksOf(total).map((ms) => place(el("span", { class: "rule" }), ms, ms)),
      bars,
    ),
    el("span", { class: `lane-end ${span.end}` }, `${took}, ${span.words}`),
  );
}
