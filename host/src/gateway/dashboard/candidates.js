// Who could have been asked at one decision, and why each was or was not.

import { el } from "./element.js";
import { colourOf } from "./palette.js";
import { length, money, plural } from "./words.js";

const TONES = {
  ready: "ok",
  "cooling down": "wait",
  limited: "wait",
  "out of quota": "wait",
  tripped: "bad",
  disabled: "bad",
  probing: "probe",
  unsupported: "idle",
  spent: "idle",
  "over budget": "wait",
};

/** What a standing means, for whom the word says nothing. */
const MEANINGS = {
  "cooling down": (wait) => `asked to be left alone${wait ? ` for ${wait} more` : ""}`,
  limited: (wait) => `your own limit is used up${wait ? ` for ${wait}` : ""}`,
  "out of quota": (wait) => `its account or daily quota is used up${wait ? ` for ${wait}` : ""}`,
  tripped: (wait) => `broken of late: left alone${wait ? `, next try in ${wait}` : ""}`,
  disabled: () => "out until somebody does something, or another provider is forced",
  probing: () => "another request is trying it at this moment",
  unsupported: () => "cannot serve this request",
  spent: () => "has had its turns",
  "over budget": () => "would not fit the budget",
};

/** A standing's name and its wait: "cooling down (1200 ms)" is `{name: "cooling down", wait: "1.20 s"}`. */
export function standingOf(text) {
  const [, name, ms] = /^(.*?)(?: \((\d+) ms\))?$/s.exec(text);
  return { name: name.replaceAll("-", " "), wait: ms === undefined ? null : length(Number(ms)) };
}

/**
 * The table of a decision. `before` are the candidates of the one before it, to mark what has changed since; `failures`
 * what has failed in this request so far, by target.
 */
export function candidates({ candidates: list, verdict }, { before, failures, isOpen }) {
  const chosen = verdict.startsWith("attempt ") ? verdict.slice("attempt ".length) : null;
  const earlier = new Map((before ?? []).map((candidate) => [candidate.target, standingOf(candidate.standing).name]));
  const rows = list.map((candidate) =>
    row(candidate, candidate.target === chosen, earlier.get(candidate.target), failures.get(candidate.target) ?? 0),
  );
  return el(
    "details",
    { class: "candidates", open: isOpen },
    el("summary", {}, summary(list)),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Target", "Standing", "Why", "At most"].map((name) =>
            el(
              "th",
              { scope: "col", title: name === "At most" ? "what the request would cost there at most" : null },
              name,
            ),
          ),
        ),
      ),
      el("tbody", {}, rows),
    ),
  );
}

function summary(list) {
  const counts = new Map();
  for (const { standing } of list) {
    const { name } = standingOf(standing);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const parts = [...counts].map(([name, number]) => `${number} ${name}`);
  return `${plural(list.length, "candidate")}: ${parts.join(", ")}`;
}

function row({ target, standing, estimated_cost_usd: cost, why }, isChosen, earlier, failed) {
  const { name, wait } = standingOf(standing);
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colourOf(target.split("/")[0]);
  const words = [
    why ?? MEANINGS[name]?.(wait),
    failed > 0 && `failed ${failed === 1 ? "once" : `${failed} times`} before`,
  ];
  const changed = earlier !== undefined && earlier !== name;
  return el(
    "tr",
    { class: isChosen ? "chosen" : name === "ready" ? "" : "out" },
    el("th", { scope: "row" }, swatch, el("span", { class: "target" }, target)),
    el("td", {}, el("span", { class: `pill ${TONES[name] ?? "idle"}` }, el("span", { class: "dot" }), name)),
    el(
      "td",
      { class: "why" },
      isChosen && el("span", { class: "badge pick" }, "chosen"),
      words.filter(Boolean).join("; "),
      changed && el("span", { class: "was" }, ` was ${earlier}`),
    ),
    el("td", { class: "number" }, cost === undefined ? "" : money(cost)),
  );
}
