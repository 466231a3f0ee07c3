// The latest requests, as they end; each is a link to its story.

import * as api from "./api.js";
import { now } from "./clock.js";
import { button, el, keyed, say } from "./element.js";
import { on } from "./known.js";
import { colourOf } from "./palette.js";
import { keyOf, labelsOf } from "./sender.js";
import { count, length, moment, money, plural, shortId } from "./words.js";

const PAGE = 50;
/** Older ones than this are forgotten as new ones come; what the operator asked for by hand stays. */
const KEPT = 200;
const OUTCOMES = ["served", "cached", "failed", "interrupted", "degraded", "abandoned", "unknown", "pending"];
const COLUMNS = ["Time", "Outcome", "Route", "Answered by", "Attempts", "Time taken", "Tokens", "Cost", "From"];

const shown = { outcome: "", route: "", text: "" };
let all = [];
let waiting = [];
let list, note, more, fresh, empty, routeField;
let isLooking = false;

/** Shows the list, its filters and the button for older ones. */
export function showRequests(parent) {
  note = document.getElementById("requests-note");
  list = el("ol", { class: "request-list" });
  empty = el("p", { class: "empty" });
  fresh = button("", takeWaiting, { class: "button fresh", hidden: true });
  more = button("Show older", () => older(), { hidden: true });
  const head = el(
    "div",
    { class: "request-head", "aria-hidden": true },
    COLUMNS.map((name) => el("span", {}, name)),
  );
  parent.append(
    filters(),
    fresh,
    el("div", { class: "request-table" }, head, list),
    empty,
    el("div", { class: "more" }, more),
  );
  // While somebody reads the list or is about to press one of its rows, it holds still.
  list.addEventListener("pointerenter", (event) => (isLooking = event.pointerType === "mouse"));
  list.addEventListener("pointerleave", () => {
    isLooking = false;
    takeWaiting();
  });
  setInterval(() => (isLooking ? offerWaiting() : takeWaiting()), 500);
  on("routes", (routes) => offerRoutes(routes.map((route) => route.route)));
}

/** Asks for the latest ones anew; `isOther`: of another kind than those that are there. */
export async function reloadRequests(isOther = false) {
  try {
    const page = await ask();
    more.hidden = page.length < PAGE;
    all = isOther ? page : latestFirst([...page, ...all]);
    draw();
  } catch (error) {
    say(note, error.message);
  }
}

/** Takes one that has just ended. */
export function addRequest(summary) {
  waiting.push(summary);
}

/** The request before or after another one in the list. */
export function neighbour(id, step) {
  const visible = all.filter(isWanted);
  const place = visible.findIndex((request) => request.id === id);
  return place < 0 ? undefined : visible[place + step]?.id;
}

function offerWaiting() {
  fresh.hidden = waiting.length === 0;
  say(fresh, `Show ${count(waiting.length)} new`);
}

function takeWaiting() {
  fresh.hidden = true;
  if (waiting.length === 0) return;
  all = latestFirst([...waiting, ...all]).slice(0, Math.max(KEPT, all.length));
  waiting = [];
  draw();
}

/** Each once, as it is first in the list. */
function latestFirst(requests) {
  const each = new Map();
  for (const request of requests) if (!each.has(request.id)) each.set(request.id, request);
  return [...each.values()].toSorted((a, b) => Date.parse(b.started) - Date.parse(a.started));
}

async function ask(before) {
  const wish = new URLSearchParams({ limit: PAGE });
  if (before) wish.set("before", before);
  if (shown.outcome && shown.outcome !== "failed-over") wish.set("outcome", shown.outcome);
  return (await api.get(`requests?${wish}`)).requests;
}

async function older() {
  more.disabled = true;
  try {
    const page = await ask(all.at(-1)?.id);
    all = all.concat(page);
    more.hidden = page.length < PAGE;
    draw();
  } catch (error) {
    say(note, error.message);
  } finally {
    more.disabled = false;
  }
}

function filters() {
  const outcome = el(
    "select",
    { id: "by-outcome", on: { change } },
    el("option", { value: "" }, "any outcome"),
    el("option", { value: "failed-over" }, "failed over"),
    OUTCOMES.map((name) => el("option", { value: name }, name)),
  );
  routeField = el("select", { id: "by-route", on: { change } }, el("option", { value: "" }, "any route"));
  const text = el("input", {
    type: "search",
    id: "by-text",
    placeholder: "id, provider, label, key …",
    autocomplete: "off",
    spellcheck: "false",
    on: { input: change },
  });
  function change() {
    const outcomeBefore = shown.outcome;
    Object.assign(shown, { outcome: outcome.value, route: routeField.value, text: text.value.trim().toLowerCase() });
    if (shown.outcome === outcomeBefore) draw();
    else reloadRequests(true);
  }
  const field = (name, input) => el("label", { class: "filter" }, el("span", { class: "sr" }, name), input);
  return el(
    "div",
    { class: "filters", role: "search" },
    field("Outcome", outcome),
    field("Route", routeField),
    field("Text", text),
  );
}

function offerRoutes(names) {
  keyed(
    routeField,
    ["", ...names],
    (name) => name,
    (name) => el("option", { value: name }, name || "any route"),
    () => {},
  );
  routeField.closest("label").hidden = names.length < 2;
}

function isWanted(request) {
  if (shown.route && request.route !== shown.route) return false;
  if (shown.outcome === "failed-over" ? !request.failed_over : shown.outcome && request.outcome !== shown.outcome)
    return false;
  return !shown.text || haystack(request).includes(shown.text);
}

function haystack(request) {
  const { id, route, strategy, outcome, served_by: target } = request;
  return [id, route, strategy, outcome, target, keyOf(request), ...labelsOf(request)].join(" ").toLowerCase();
}

function draw() {
  const wanted = all.filter(isWanted);
  const slowest = Math.max(1, ...wanted.map((request) => request.took_ms));
  keyed(
    list,
    wanted,
    (request) => request.id,
    make,
    (row, request) => update(row, request, slowest),
  );
  empty.hidden = wanted.length > 0;
  say(
    empty,
    all.length > 0
      ? "None of the latest requests is like that."
      : "No request yet. Point a client’s base URL at this address with /v1 behind it.",
  );
  say(note, wanted.length === all.length ? "" : `${plural(wanted.length, "request")} of ${count(all.length)}`);
}

function make(request) {
  const cells = Object.fromEntries(
    ["time", "outcome", "route", "by", "attempts", "took", "tokens", "cost", "from"].map((name) => [
      name,
      el("span", { class: `r-${name}` }),
    ]),
  );
  const bar = el("span", { class: "bar-took" });
  const words = el("span");
  cells.took.append(words, bar);
  const link = el("a", { class: "request-row", href: `#/requests/${request.id}` }, Object.values(cells));
  const row = el("li", { "data-id": request.id }, link);
  row.cells = { ...cells, link, bar, words };
  return row;
}

function update({ cells, dataset }, request, slowest) {
  const mark = [request.outcome, request.failed_over, request.served_by].join();
  cells.bar.style.width = `${(request.took_ms / slowest) * 100}%`;
  if (dataset.mark === mark) return;
  dataset.mark = mark;
  dataset.outcome = request.outcome;
  const tone = toneOf(request);
  cells.time.replaceChildren(
    el("time", { datetime: request.started, title: request.id }, moment(request.started, now())),
    el("code", { class: "r-id" }, shortId(request.id)),
  );
  cells.outcome.replaceChildren(
    el("span", { class: `pill ${tone}` }, el("span", { class: "dot" }), outcomeWords(request)),
  );
  say(cells.route, request.route);
  cells.route.title = `route ${request.route}, strategy ${request.strategy}`;
  cells.by.replaceChildren(...servedBy(request.served_by));
  cells.attempts.replaceChildren(...pips(request));
  say(cells.words, length(request.took_ms));
  cells.words.title = request.first_token_ms === undefined ? "" : `first token after ${length(request.first_token_ms)}`;
  say(cells.tokens, request.usage ? count((request.usage.input ?? 0) + (request.usage.output ?? 0)) : "–");
  cells.tokens.title = request.usage ? `${count(request.usage.input)} in, ${count(request.usage.output)} out` : "";
  say(cells.cost, money(request.cost_usd));
  say(cells.from, [keyOf(request), ...labelsOf(request)].filter(Boolean).join(" · "));
  cells.from.title = cells.from.textContent;
}

/** How a request's end is shown: `ok`, `wait`, `bad`, `probe` or `idle`. */
export function toneOf({ outcome, failed_over: failedOver }) {
  if (outcome === "served") return failedOver ? "wait" : "ok";
  if (outcome === "cached") return "ok";
  if (outcome === "failed" || outcome === "interrupted") return "bad";
  return outcome === "pending" ? "probe" : "idle";
}

export function outcomeWords({ outcome, failed_over: failedOver }) {
  return outcome === "served" && failedOver ? "failed over" : outcome;
}

function servedBy(target) {
  if (!target) return [el("span", { class: "aside" }, "nobody")];
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colourOf(target.split("/")[0]);
  return [swatch, el("span", { class: "target" }, target)];
}

/** A mark for each attempt: those that failed, then the one that answered. */
function pips(request) {
  const most = 6;
  const isServed = Boolean(request.served_by);
  const marks = Array.from({ length: Math.min(most, request.attempts) }, (_, place) =>
    el("span", { class: isServed && place === Math.min(most, request.attempts) - 1 ? "pip ok" : "pip bad" }),
  );
  return [
    el("span", { class: "pips", "aria-hidden": true }, marks),
    el("span", {}, String(request.attempts)),
    el("span", { class: "sr" }, request.attempts === 1 ? " attempt" : " attempts"),
  ];
}
