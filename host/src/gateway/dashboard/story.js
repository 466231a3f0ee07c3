// The story of one request: what was asked of whom, why, and what came of it. Its address is `#/requests/bs-…`.

import * as api from "./api.js";
import { button, el } from "./element.js";
import { neighbour, outcomeWords, toneOf } from "./requests.js";
import { keyOf, labelsOf } from "./sender.js";
import { steps, usage } from "./steps.js";
import { toast } from "./toast.js";
import { waterfall } from "./waterfall.js";
import { length, moment, money, plural } from "./words.js";

const ADDRESS = /^#\/requests\/(bs-[0-9a-f]+)$/;
/** A request under way is looked at again. */
const AGAIN_MS = 1_000;

const panel = document.getElementById("story");
let open = null;
let opener = null;
let timer = null;

/** Opens and closes stories as the address says. */
export function showStories() {
  addEventListener("hashchange", follow);
  panel.addEventListener("keydown", keys);
  document.addEventListener(
    "keydown",
    (event) => event.key === "Escape" && open && !document.querySelector("dialog[open]") && close(),
  );
  follow();
}

/** Looks at the open story again: the line to the gateway was lost for a while. */
export function reopen() {
  if (open) load(open);
}

function follow() {
  const id = ADDRESS.exec(location.hash)?.[1] ?? null;
  if (id === open) return;
  if (id && !open) opener = document.activeElement;
  open = id;
  markOpen(id);
  panel.hidden = id === null;
  document.body.classList.toggle("has-story", id !== null);
  if (id === null) {
    clearTimeout(timer);
    opener?.focus?.({ preventScroll: true });
    return;
  }
  load(id);
  panel.focus({ preventScroll: true });
}

function markOpen(id) {
  for (const link of document.querySelectorAll(".request-row[aria-current]")) link.removeAttribute("aria-current");
  if (id) document.querySelector(`.request-row[href="#/requests/${id}"]`)?.setAttribute("aria-current", "true");
}

function close() {
  // Not `location.hash = ""`, which would scroll to the top and leave a "#".
  history.pushState(null, "", location.pathname + location.search);
  follow();
}

function step(by) {
  const id = neighbour(open, by);
  if (id) location.hash = `#/requests/${id}`;
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
}

async function load(id) {
  clearTimeout(timer);
  let content, record;
  try {
    record = gist(await api.get(`requests/${id}`));
    content = tale(record);
  } catch (error) {
    content = el(
      "div",
      { class: "story-body" },
      el(
        "p",
        { class: "empty" },
        error.status === 404 ? "There is no record of this request, or no longer." : error.message,
      ),
    );
  }
  if (open !== id) return;
  const isOther = panel.dataset.id !== id;
  panel.replaceChildren(bar(id, record), content);
  panel.dataset.id = id;
  if (isOther) panel.scrollTop = 0;
  if (record?.outcome === "pending") timer = setTimeout(() => load(id), AGAIN_MS);
}

/** A record with what the list says of a request, and a record does not. */
function gist(record) {
  const answers = record.steps.find((step) => step.event === "served");
  return {
    ...record,
    attempts: record.tried.length,
    failed_over: new Set(record.tried.map((attempt) => attempt.target)).size > 1,
    first_token_ms: record.first_token_ms ?? answers?.at_ms,
  };
}

function bar(id, record) {
  return el(
    "header",
    { class: "story-bar" },
    el("code", { class: "story-id", title: id }, id),
    el(
      "div",
      { class: "actions" },
      button("Copy id", () => copy(id), { class: "button small" }),
      record && button("Copy JSON", () => copy(JSON.stringify(record, null, 2)), { class: "button small" }),
      button("‹", () => step(-1), {
        class: "button small icon-only",
        "aria-label": "Newer request",
        title: "Newer (k)",
      }),
      button("›", () => step(1), {
        class: "button small icon-only",
        "aria-label": "Older request",
        title: "Older (j)",
      }),
      button("✕", close, { class: "button small icon-only", "aria-label": "Close the story", title: "Close (Esc)" }),
    ),
  );
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("This browser does not let the page copy here", "bad");
  }
}

function tale(record) {
  return el(
    "div",
    { class: "story-body" },
    el(
      "div",
      { class: "verdict" },
      el("span", { class: `pill large ${toneOf(record)}` }, el("span", { class: "dot" }), outcomeWords(record)),
      el("h2", {}, headline(record)),
    ),
    facts(record),
    waterfall(record),
    el("h3", { class: "steps-title" }, "What happened"),
    steps(record),
  );
}

/** The story in one sentence. */
function headline(record) {
  const took = length(record.took_ms);
  if (record.outcome === "pending") return "Still under way";
  if (!record.served_by) return `Nobody answered: ${plural(record.attempts, "attempt")} in ${took}`;
  const after = record.attempts > 1 ? ` on attempt ${record.attempts}` : "";
  if (record.outcome === "cached") return `From the cache, as ${record.served_by} answered before, in ${took}`;
  if (record.outcome === "served") return `${record.served_by} answered${after} in ${took}`;
  return `${record.served_by} began to answer${after}; ${record.outcome} after ${took}`;
}

function facts(record) {
  const all = [
    ["Began", moment(record.started)],
    ["Route", record.route],
    ["Strategy", record.strategy],
    ["Asked for", record.streaming ? "a stream" : "a whole reply"],
    ["First token", record.first_token_ms !== undefined && length(record.first_token_ms)],
    ["Cost", record.cost_usd && money(record.cost_usd)],
    ["Usage", usage(record.usage)],
    ["Key", keyOf(record)],
    ["Labels", labelsOf(record).join(", ")],
  ];
  return el(
    "dl",
    { class: "facts wide" },
    all.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}
