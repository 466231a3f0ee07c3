// What was spent: against each budget, day by day, and on what.

import { showBudgets } from "./budgets.js";
import { el, say, show } from "./element.js";
import { on } from "./known.js";
import { colourOf } from "./palette.js";
import { count, dollars, money, plural } from "./words.js";

const MODELS_SHOWN = 5;
const DAYS = 30;
const DAY_MS = 86_400_000;

/** Shows budgets and costs and keeps them true. */
export function showSpend(parent) {
  const updateBudgets = showBudgets(parent);
  const days = el("div", { class: "days" });
  const models = el("ul", { class: "cost-list" });
  parent.append(days, models);
  on("overview", updateBudgets);
  on("costs", (costs) => {
    say(document.getElementById("spend-note"), `${money(costs.total_usd)} in ${DAYS} days`);
    show(days, costs.lines, () => daily(costs.lines));
    show(models, costs.lines, () => byModel(costs.lines));
  });
}

/** A column for each day, the highest as high as there is room. */
function daily(lines) {
  const sums = new Map();
  for (const line of lines) sums.set(line.day, (sums.get(line.day) ?? 0) + dollars(line.cost_usd));
  if (sums.size === 0) return null;
  const last = Math.max(...[...sums.keys()].map((day) => Date.parse(day)));
  const all = Array.from({ length: DAYS }, (_, place) =>
    new Date(last - (DAYS - 1 - place) * DAY_MS).toISOString().slice(0, 10),
  );
  const most = Math.max(...sums.values(), Number.EPSILON);
  return all.map((day) => {
    const spent = sums.get(day) ?? 0;
    const column = el("span", { class: "day", title: `${day}: ${money(spent)}` }, el("span"));
    column.firstChild.style.height = `${(spent / most) * 100}%`;
    return column;
  });
}

/** The models that cost the most. */
function byModel(lines) {
  const sums = new Map();
  for (const { provider, model, answers, usage, cost_usd } of lines) {
    const sum = sums.get(`${provider}/${model}`) ?? { provider, model, answers: 0, tokens: 0, cost: 0 };
    sum.answers += answers;
    sum.tokens += (usage?.input ?? 0) + (usage?.output ?? 0);
    sum.cost += dollars(cost_usd);
    sums.set(`${provider}/${model}`, sum);
  }
  const dearest = [...sums.values()].toSorted((a, b) => b.cost - a.cost);
  if (dearest.length === 0) return el("li", { class: "empty" }, "Nothing has been answered yet.");
  const rows = dearest.slice(0, MODELS_SHOWN).map((sum) => {
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = colourOf(sum.provider);
    return el(
      "li",
      { class: "cost" },
      swatch,
      el("span", { class: "cost-name" }, `${sum.provider}/${sum.model}`),
      el("span", { class: "aside" }, `${plural(sum.answers, "answer")}, ${count(sum.tokens)} tokens`),
      el("strong", {}, money(sum.cost)),
    );
  });
  const rest = dearest.slice(MODELS_SHOWN);
  if (rest.length > 0) {
    rows.push(
      el(
        "li",
        { class: "cost" },
        el("span", { class: "swatch" }),
        el("span", { class: "cost-name" }, plural(rest.length, "other model")),
        el("span", { class: "aside" }),
        el("strong", {}, money(rest.reduce((sum, one) => sum + one.cost, 0))),
      ),
    );
  }
  return rows;
}
