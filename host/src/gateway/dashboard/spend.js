// What was spent: against each budget, day by day, and on what.

import { el, keyed, say, show } from "./element.js";
import { on } from "./known.js";
import { colourOf } from "./palette.js";
import { count, dollars, money, percent, plural } from "./words.js";

const MODELS_SHOWN = 5;
const DAYS = 30;
const DAY_MS = 86_400_000;

/** Shows budgets and costs and keeps them true. */
export function showSpend(parent) {
  const budgets = el("div", { class: "budgets" });
  const unbounded = el("p", { class: "empty", hidden: true }, "No budget is set: nothing bounds the spend.");
  const days = el("div", { class: "days" });
  const models = el("ul", { class: "cost-list" });
  parent.append(budgets, unbounded, days, models);
  on("overview", (overview) => {
    unbounded.hidden = overview.budgets.length > 0;
    keyed(
      budgets,
      overview.budgets,
      (budget) => budget.scope,
      makeBudget,
      (element, budget) => updateBudget(element, budget, overview.alert_at),
    );
  });
  on("costs", (costs) => {
    say(document.getElementById("spend-note"), `${money(costs.total_usd)} in ${DAYS} days`);
    show(days, costs.lines, () => daily(costs.lines));
    show(models, costs.lines, () => byModel(costs.lines));
  });
}

function makeBudget({ scope }) {
  const cells = {
    words: el("span"),
    spent: el("span", { class: "budget-spent" }),
    reserved: el("span", { class: "budget-reserved" }),
  };
  const mark = el("span", { class: "budget-mark" });
  const bar = el("div", { class: "budget-bar", role: "img" }, cells.spent, cells.reserved, mark);
  const element = el(
    "div",
    { class: "budget", "data-scope": scope },
    el("p", { class: "budget-head" }, el("strong", {}, scope === "day" ? "Today" : "This month"), cells.words),
    bar,
  );
  element.cells = { ...cells, bar, mark };
  return element;
}

/** What is held counts as spent until it is known: what is under way, and what nobody could count. */
function updateBudget({ cells, dataset }, { limit, spent, reserved, uncertain }, alertAt) {
  const [all, gone, held] = [dollars(limit), dollars(spent), dollars(reserved) + dollars(uncertain)];
  const share = all > 0 ? (gone + held) / all : 0;
  say(cells.words, `${money(gone + held)} of ${money(limit)} · ${percent(Math.round(share * 100) / 100)}`);
  const parts = `${money(reserved)} reserved for what is under way, ${money(uncertain)} uncertain`;
  const words = `${money(spent)} spent, ${parts}, of ${money(limit)}`;
  cells.bar.setAttribute("aria-label", words);
  cells.bar.title = words;
  cells.spent.style.width = `${Math.min(100, (gone / all) * 100 || 0)}%`;
  cells.reserved.style.width = `${Math.min(100, (held / all) * 100 || 0)}%`;
  cells.mark.hidden = alertAt === null;
  cells.mark.style.left = `${alertAt * 100}%`;
  cells.mark.title = `warns at ${percent(alertAt)}`;
  dataset.tone = share >= 1 ? "bad" : alertAt !== null && share >= alertAt ? "wait" : "ok";
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
