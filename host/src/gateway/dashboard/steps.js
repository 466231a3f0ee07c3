// The steps of a request as a tale: each with its time, what happened, and why.

import { candidates } from "./candidates.js";
import { el } from "./element.js";
import { colourOf } from "./palette.js";
import { count, length, money, plural } from "./words.js";
import { failureWords } from "./waterfall.js";

/** With more decisions than this, only the first shows its candidates unasked. */
const MOST_OPEN = 4;

/** All steps of a record, as a list. */
export function steps(record) {
  const decisions = record.steps.filter((step) => step.event === "decided").length;
  const failures = new Map();
  let before;
  let asked = 0;
  const items = record.steps.map((step) => {
    if (step.event === "failed") failures.set(step.target, (failures.get(step.target) ?? 0) + 1);
    if (step.event !== "decided") return tell(step, record);
    asked += 1;
    const item = decided(step, asked, { before, failures, isOpen: asked === 1 || decisions <= MOST_OPEN });
    before = step.candidates;
    return item;
  });
  return el("ol", { class: "steps" }, items);
}

function tell(step, record) {
  switch (step.event) {
    case "strategy-fault":
      return item(step, "bad", "!", ["The strategy failed; declared order decides instead"], quote(step.message));
    case "waiting":
      if (step.ahead !== undefined) {
        const before = `${step.ahead} before it, ${length(step.wait_ms)} at most`;
        return item(step, "wait", "◷", ["In line for ", target(step.target), aside(` ${before}`)]);
      }
      return item(step, "wait", "◷", ["Waits up to ", strong(length(step.wait_ms)), " for ", target(step.target)]);
    case "denied":
      return item(
        step,
        "wait",
        "⊘",
        ["The guard says no to ", target(step.target)],
        el("p", { class: "reason" }, step.why),
      );
    case "attempting":
      return item(step, "go", String(step.attempt), [
        "Asks ",
        target(step.target),
        aside(` attempt ${step.attempt}${modelOf(step.model_of)}`),
      ]);
    case "failed":
      return failed(step);
    case "served":
      return item(step, "ok", "✓", [target(step.target), " answers ", aside(`after ${length(step.took_ms)}`)]);
    case "cancelled":
      return item(step, "idle", "–", [
        target(step.target),
        " is called off: another was faster ",
        aside(`after ${length(step.took_ms)}`),
      ]);
    case "adapted":
      return item(
        step,
        "idle",
        "≈",
        ["The request was adapted for ", target(step.target)],
        el(
          "ul",
          { class: "notes" },
          step.notes.map((note) => el("li", {}, note)),
        ),
      );
    case "resuming":
      return item(step, "wait", "↻", [
        target(step.target),
        step.goes_on
          ? " takes up the broken answer where it ended"
          : " answers afresh; what equals the part already sent is kept back",
      ]);
    case "joined":
      return item(step, "wait", "◷", ["Waits for the answer to an equal request that is under way"]);
    case "from-cache":
      return item(step, "ok", "■", [
        "From the cache: ",
        target(step.target),
        " answered so ",
        aside(`${length(step.age_ms)} ago`),
      ]);
    case "completed":
      return item(step, "ok", "■", [
        target(step.target),
        " is done ",
        aside(
          [`${length(step.took_ms)} since it was asked`, usage(step.usage), record.cost_usd && money(record.cost_usd)]
            .filter(Boolean)
            .join(" · "),
        ),
      ]);
    default:
      return item(step, "idle", "·", [step.event.replaceAll("-", " "), step.target ? [" ", target(step.target)] : ""]);
  }
}

function decided(step, number, sofar) {
  const [head, tone] = step.verdict.startsWith("attempt ")
    ? [["Chooses ", target(step.verdict.slice("attempt ".length))], "decide"]
    : step.verdict === "hold"
      ? [["Holds: what is under way may still answer"], "decide"]
      : [["Gives up"], "bad"];
  const reason = step.reason && el("p", { class: "reason because" }, step.reason);
  return item(step, tone, "?", [...head, aside(` decision ${number}`)], reason, candidates(step, sofar));
}

function failed(step) {
  const { failure } = step;
  const wait =
    failure.retry_after_ms !== undefined &&
    failure.retry_after_ms !== null &&
    el("p", { class: "reason" }, `It asks to be left alone for ${length(failure.retry_after_ms)}.`);
  return item(
    step,
    "bad",
    "✕",
    [target(step.target), " fails: ", strong(failureWords(failure)), aside(` after ${length(step.took_ms)}`)],
    failure.message && quote(failure.message),
    wait,
  );
}

function item(step, tone, sign, head, ...more) {
  return el(
    "li",
    { class: `step ${tone}`, "data-event": step.event },
    el("span", { class: "sign", "aria-hidden": true }, sign),
    el(
      "div",
      { class: "step-body" },
      el(
        "p",
        { class: "step-head" },
        el("span", { class: "step-words" }, head),
        el("time", { class: "step-time" }, `+${length(Math.round(step.at_ms))}`),
      ),
      more,
    ),
  );
}

function target(name) {
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colourOf(name.split("/")[0]);
  return el("span", { class: "target named" }, swatch, name);
}

function strong(words) {
  return el("strong", {}, words);
}

function aside(words) {
  return el("span", { class: "aside" }, words);
}

/**
 * Words that are not ours: a provider's message, a guest's fault. Long ones scroll, for which the keyboard must get
 * there.
 */
function quote(words) {
  return el("blockquote", { tabindex: words.length > 500 ? 0 : null }, words);
}

function modelOf(places) {
  return places && places[1] > 1 ? `, model ${places[0]} of ${places[1]}` : "";
}

/** Tokens in words. */
export function usage(counted) {
  if (!counted) return null;
  const parts = [`${count(counted.input ?? 0)} in`, `${count(counted.output ?? 0)} out`];
  if (counted.cache_read) parts.push(`${count(counted.cache_read)} from cache`);
  if (counted.cache_creation) parts.push(`${count(counted.cache_creation)} to cache`);
  if (counted.reasoning) parts.push(`${count(counted.reasoning)} thought`);
  return `${plural((counted.input ?? 0) + (counted.output ?? 0), "token")} (${parts.join(", ")})`;
}
