// Each route: who comes first, who served last, who is forced; the strategy that decides, and how it is.

import * as api from "./api.js";
import { clearPreference, trying } from "./controls.js";
import { dialog } from "./dialog.js";
import { button, el, show } from "./element.js";
import { known, on, refresh } from "./known.js";
import { toast } from "./toast.js";
import { plural, span } from "./words.js";

/** The strategies that come with Backstop, and the order each keeps. */
const BUILT_IN = {
  smart: "local and free targets first, then the highest priority down",
  cost: "the cheapest first",
  quality: "the highest priority first",
  "round-robin": "declared order, starting one further each time",
  "fail-fast": "the first usable target and no other",
  "by-task": "those named for a task, for long and for short requests",
  "quota-aware": "by lot, in proportion to what is left of each quota",
  bandit: "learns who serves well and soon",
  hedge: "the highest priority, and a second when it is unusually slow",
};

/** Shows the routes and keeps them true. */
export function showRoutes(parent) {
  const list = el("div", { class: "route-list" });
  parent.append(list);
  const update = () => {
    const [routes, strategies] = [known("routes") ?? [], known("strategies") ?? []];
    show(list, [routes.map(({ health, ...rest }) => rest), strategies], () =>
      routes.map((route) =>
        card(
          route,
          strategies.find((strategy) => strategy.route === route.route),
        ),
      ),
    );
  };
  on("routes", update);
  on("strategies", update);
}

function card(route, strategy) {
  return el(
    "article",
    { class: "route", "data-route": route.route },
    el(
      "header",
      { class: "route-head" },
      el("h3", {}, route.route),
      route.forced && el("span", { class: "badge" }, `forced: ${route.forced}, ${span(Math.ceil(route.forced_for_ms / 1000))} left`),
    ),
    el(
      "dl",
      { class: "facts" },
      fact("Primary", target(route.primary)),
      route.fallbacks.length > 0 && fact("Then", route.fallbacks.map(target)),
      fact("Served last", target(route.preferred)),
    ),
    strategyOf(route, strategy),
    strategy?.shadow && shadowOf(route.route, strategy.shadow),
    el(
      "div",
      { class: "actions" },
      button("Change strategy", () => promote(route, strategy), {
        class: "button small",
        "aria-label": `Change the strategy of ${route.route}`,
      }),
      strategy?.former &&
        button(`Go back to ${nameOf(strategy.former)}`, () => changing(route.route, "roll-back"), {
          class: "button small",
          "aria-label": `Go back to ${strategy.former} on ${route.route}`,
        }),
      strategy?.file &&
        button("Reload", () => reload(route.route), {
          class: "button small",
          "aria-label": `Reload the strategy of ${route.route}`,
        }),
      button("Clear preference", clearPreference, {
        class: "button small",
        disabled: !route.preferred && !route.forced,
      }),
    ),
  );
}

function fact(name, value) {
  return [el("dt", {}, name), el("dd", {}, value)];
}

/** `provider/model`, or nobody. */
function target(name) {
  if (!name) return el("span", { class: "aside" }, "nobody");
  return el("span", { class: "target" }, typeof name === "string" ? name : `${name.provider}/${name.model}`);
}

function strategyOf(route, strategy) {
  if (!strategy) return el("p", { class: "strategy" }, el("strong", {}, route.strategy));
  const { file, digest, faults, quarantined: isOut } = strategy;
  const more = [file ?? "built in", digest.slice(0, 10), faults > 0 && plural(faults, "fault")]
    .filter(Boolean)
    .join(" · ");
  return el(
    "p",
    { class: "strategy" },
    el("strong", {}, strategy.strategy),
    el(
      "span",
      { class: isOut ? "pill bad" : "pill ok" },
      el("span", { class: "dot" }),
      isOut ? "quarantined" : "active",
    ),
    el("span", { class: "aside", title: `SHA-256 ${digest}` }, more),
  );
}

/** The last part of a path; a built-in name as it is. */
function nameOf(strategy) {
  return strategy.split("/").at(-1);
}

/** The strategy in the shadow: how often it would have decided otherwise, and what to do about it. */
function shadowOf(route, shadow) {
  const { strategy, agreed, differed, passed_over: missed, faults, quarantined: isOut } = shadow;
  const asked = agreed + differed;
  const words = [
    asked === 0 ? "not asked yet" : `agrees in ${Math.round((100 * agreed) / asked)} % of ${plural(asked, "decision")}`,
    missed > 0 && `${missed} left out`,
    faults > 0 && plural(faults, "fault"),
    isOut && "quarantined",
  ];
  return el(
    "p",
    { class: "strategy shadow" },
    el("span", { class: "aside" }, "in the shadow"),
    el("strong", { title: strategy }, nameOf(strategy)),
    el("span", { class: "aside" }, words.filter(Boolean).join(" · ")),
    shadow.latest.length > 0 &&
      button("Differences", () => differences(route, shadow), {
        class: "button small",
        "aria-label": `Where the shadow of ${route} would have decided otherwise`,
      }),
    button("Promote", () => changing(route, "promote"), {
      class: "button small",
      "aria-label": `Promote the shadow of ${route}`,
    }),
  );
}

/** The latest questions on which the two differ, each with a way to its request's story. */
function differences(route, shadow) {
  const rows = shadow.latest.slice(0, 20).map(({ request, decided, shadow: instead, reason }) =>
    el(
      "li",
      {},
      el("a", { href: `#/requests/${request}`, on: { click: (event) => event.target.closest("dialog").close() } }, decided),
      el("span", { class: "aside" }, ` — the shadow: ${[instead, reason].filter(Boolean).join(", ")}`),
    ),
  );
  return dialog({ title: `Where ${nameOf(shadow.strategy)} would have decided otherwise on ${route}`, body: el("ul", {}, rows) });
}

/** Has another strategy decide on a route, the one in the shadow or the one before. */
function changing(route, how) {
  return trying(async () => {
    const done = await api.post(`strategies/${encodeURIComponent(route)}/${how}`, {});
    refresh("strategies", "routes");
    toast(`${route} is now decided by ${done.strategy.strategy}`);
  });
}

function reload(route) {
  return trying(async () => {
    await api.post(`strategies/${encodeURIComponent(route)}/reload`);
    refresh("strategies", "routes");
    toast(`The strategy of ${route} is loaded anew`);
  });
}

async function promote(route, strategy) {
  const name = route.route;
  const chosen = strategy?.strategy ?? route.strategy;
  const radios = Object.entries(BUILT_IN).map(([one, words]) =>
    el(
      "label",
      { class: "radio" },
      el("input", { type: "radio", name: "strategy", value: one, checked: one === chosen, required: true }),
      el("span", {}, el("strong", {}, one), el("span", { class: "aside" }, words)),
    ),
  );
  const field = el("fieldset", { class: "field" }, el("legend", {}, "Strategy"), radios);
  const done = await dialog({
    title: `Change the strategy of ${name}`,
    body: [
      el(
        "p",
        { class: "hint" },
        "Requests under way keep the one they began with. The file stays as it is: reloading brings back what it says.",
      ),
      field,
    ],
    action: "Change",
    submit: () =>
      api.post(`strategies/${encodeURIComponent(name)}/promote`, { strategy: field.querySelector(":checked").value }),
  });
  if (!done) return;
  refresh("strategies", "routes");
  toast(`${name} is now decided by ${done.strategy?.strategy ?? "another strategy"}`);
}
