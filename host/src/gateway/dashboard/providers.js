// Every provider with its state and its clock, health, traffic, spend and keys, and what can be done about it.

import { coolDown, clear, force } from "./controls.js";
import { button, el, keyed, say, show } from "./element.js";
import { on } from "./known.js";
import { colourOf } from "./palette.js";
import { pill, toneOf, updatePill, wordsOf } from "./state.js";
import { count, length, moment, money, percent } from "./words.js";

const COLUMNS = ["Provider", "State", "Health", "First token", "In flight", "Today", "Spent", ""];

/** Shows the providers and keeps them true. */
export function showProviders(parent) {
  const note = document.getElementById("providers-note");
  const head = el(
    "div",
    { class: "provider-head", "aria-hidden": true },
    COLUMNS.map((name) => el("span", {}, name)),
  );
  const list = el("ul", { class: "provider-list" });
  const nothing = el(
    "p",
    { class: "empty", hidden: true },
    "No provider is configured. ",
    el("code", {}, "backstop config init"),
    " writes a file to start from.",
  );
  parent.append(el("div", { class: "provider-table" }, head, list), nothing);
  on("providers", (providers) => {
    nothing.hidden = providers.length > 0;
    head.hidden = providers.length === 0;
    say(note, summary(providers));
    keyed(list, providers, (provider) => provider.provider, make, update);
  });
}

function summary(providers) {
  const ready = providers.filter((provider) => provider.state.name === "available").length;
  return providers.length > 0 ? `${ready} of ${providers.length} available` : "";
}

function make({ provider: name }) {
  const cells = {
    name: el("span", { class: "provider-name" }),
    badge: el("span", { class: "badge", hidden: true }, "forced"),
    state: pill({ name: "available" }),
    health: el("span", { class: "health" }),
    first: el("span"),
    inFlight: el("span"),
    today: el("span"),
    spent: el("span"),
    models: el("ul", { class: "models", "aria-label": `Models of ${name}` }),
    keys: el("ul", { class: "keys", "aria-label": `Keys of ${name}` }),
    clear: button("Clear", () => clear(name), { "aria-label": `End the cooldowns of ${name}`, class: "button small" }),
  };
  const actions = el(
    "div",
    { class: "actions" },
    button("Force", () => force(name), { "aria-label": `Force ${name}`, class: "button small" }),
    button("Cool down", () => coolDown(name), { "aria-label": `Cool down ${name}`, class: "button small" }),
    cells.clear,
  );
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colourOf(name);
  const row = el(
    "li",
    { class: "provider", "data-provider": name },
    el("h3", { class: "cell cell-name" }, swatch, cells.name, cells.badge),
    cell("State", "state", cells.state),
    cell("Health", "health", cells.health),
    cell("First token", "number", cells.first),
    cell("In flight", "number", cells.inFlight),
    cell("Today", "number", cells.today),
    cell("Spent", "number", cells.spent),
    actions,
    el("div", { class: "parts" }, cells.models, cells.keys),
  );
  row.cells = cells;
  return row;
}

function cell(name, kind, content) {
  return el("div", { class: `cell cell-${kind}` }, el("span", { class: "label" }, name), content);
}

function update(row, provider) {
  const { cells } = row;
  const { health, state } = provider;
  row.dataset.tone = toneOf(state);
  row.dataset.state = state.name;
  say(cells.name, provider.provider);
  cells.badge.hidden = !provider.forced;
  updatePill(cells.state, state);
  show(
    cells.health,
    [health.success_rate, health.consecutive_failures, health.quota_left, health.last_failure_kind],
    () => healthOf(health),
  );
  cells.health.title = past(health);
  say(cells.first, length(health.first_token_ms));
  say(cells.inFlight, count(provider.models.reduce((sum, model) => sum + model.in_flight, 0)));
  say(cells.today, count(provider.requests_today));
  say(cells.spent, money(provider.spent_today_usd));
  updateModels(cells.models, provider);
  updateKeys(cells.keys, provider);
  cells.clear.disabled = ![
    state,
    ...provider.models.map((model) => model.state),
    ...provider.keys.map((key) => key.state),
  ].some(passes);
}

function healthOf({ success_rate: rate, consecutive_failures: failures, quota_left: quota, last_failure_kind: kind }) {
  const bar = el(
    "span",
    { class: "meter", role: "img", "aria-label": `${percent(rate)} of the latest attempts served` },
    el("span"),
  );
  bar.firstChild.style.width = `${Math.round(rate * 100)}%`;
  bar.dataset.tone = rate >= 0.95 ? "ok" : rate >= 0.7 ? "wait" : "bad";
  const aside = [
    failures > 0 && `${failures} × ${kind ? kind.replaceAll("-", " ") : "failed"}${failures > 1 ? " in a row" : ""}`,
    quota !== undefined && quota !== null && `${percent(Math.round(quota * 100) / 100)} of quota left`,
  ];
  return [
    el("span", { class: "health-line" }, bar, percent(Math.round(rate * 1000) / 1000)),
    el("span", { class: "aside" }, aside.filter(Boolean).join(" · ")),
  ];
}

function past({ last_success: success, last_failure: failure, last_failure_kind: kind }) {
  const lines = [
    success && `last success ${moment(success)}`,
    failure && `last failure ${moment(failure)}${kind ? ` (${kind})` : ""}`,
  ];
  return lines.filter(Boolean).join("\n");
}

function updateModels(parent, { models, state: whole }) {
  keyed(
    parent,
    models,
    (model) => model.model,
    (model) => part("model", model.model),
    (element, { state, health, in_flight: flying }) => {
      updatePart(element, state, whole);
      element.title =
        `${wordsOf(state)}; ${percent(health.success_rate)} served; ${flying} in flight\n${past(health)}`.trim();
    },
  );
}

function updateKeys(parent, { keys, state: whole }) {
  keyed(
    parent,
    keys,
    (key) => key.key,
    (key) => part("key", key.key),
    (element, { state }) => updatePart(element, state, whole),
  );
}

function part(kind, name) {
  return el(
    "li",
    { class: kind },
    el("span", { class: "dot" }),
    el("span", { class: `${kind}-name` }, name),
    pill({ name: "available" }),
  );
}

/** A model or a key is given words of its own only where it stands otherwise than its provider. */
function updatePart(element, state, whole) {
  element.dataset.tone = toneOf(state);
  element.lastChild.hidden = state.name === "available" || state.name === whole.name;
  updatePill(element.lastChild, state);
}

/** Whether an operator can end a state by hand. */
function passes(state) {
  return ["rate-limited", "temporarily-disabled", "out-of-quota", "probing", "rejected"].includes(state.name);
}
