// Every budget and how much of it is gone: everybody's, then those of routes, providers, keys and labels, the fullest first.

import { el, keyed, say } from "./element.js";
import { dollars, money, percent, plural } from "./words.js";

/** So many of those that are not everybody's are shown: a gateway may have a budget for each of thousands of keys. */
const SHOWN = 8;

const PERIODS = { day: "today", month: "this month" };

/** Makes the list; what it returns shows what an overview says of budgets. */
export function showBudgets(parent) {
  const list = el("div", { class: "budgets" });
  const others = el("p", { class: "note", hidden: true });
  const unbounded = el("p", { class: "empty", hidden: true }, "No budget is set: nothing bounds the spend.");
  parent.append(list, others, unbounded);
  return ({ budgets, scoped_budgets: scoped = [], alert_at: alertAt }) => {
    const fullest = scoped.toSorted((a, b) => share(b) - share(a));
    const hidden = fullest.slice(SHOWN);
    unbounded.hidden = budgets.length + scoped.length > 0;
    others.hidden = hidden.length === 0;
    if (hidden.length > 0) say(others, `${plural(hidden.length, "other budget")}, at most ${told(share(hidden[0]))} gone`);
    keyed(list, [...budgets, ...fullest.slice(0, SHOWN)], keyOf, makeBudget, (element, budget) => update(element, budget, alertAt));
  };
}

/** What is held counts as spent until it is known: what is under way, and what nobody could count. */
function held({ reserved, uncertain }) {
  return dollars(reserved) + dollars(uncertain);
}

/** How much of it is gone, from 0. */
export function share(budget) {
  const all = dollars(budget.limit);
  return all > 0 ? (dollars(budget.spent) + held(budget)) / all : 0;
}

function told(share) {
  return percent(Math.round(share * 100) / 100);
}

function keyOf({ of, scope }) {
  return `${of ?? ""} ${scope}`;
}

/** Whose it is and for how long: "Today", "key ci, today". */
export function title({ of, scope }) {
  const period = PERIODS[scope] ?? scope;
  if (!of) return period.charAt(0).toUpperCase() + period.slice(1);
  const colon = of.indexOf(":");
  return `${of.slice(0, colon)} ${of.slice(colon + 1)}, ${period}`;
}

function makeBudget(budget) {
  const { of, scope } = budget;
  const cells = {
    words: el("span"),
    spent: el("span", { class: "budget-spent" }),
    reserved: el("span", { class: "budget-reserved" }),
  };
  const mark = el("span", { class: "budget-mark" });
  const bar = el("div", { class: "budget-bar", role: "img" }, cells.spent, cells.reserved, mark);
  const head = el("p", { class: "budget-head" }, el("strong", { title: title(budget) }, title(budget)), cells.words);
  const element = el("div", { class: "budget", "data-of": of, "data-scope": scope }, head, bar);
  element.cells = { ...cells, bar, mark };
  return element;
}

function update({ cells, dataset }, budget, alertAt) {
  const { limit, spent, reserved, uncertain } = budget;
  const [all, gone, open, part] = [dollars(limit), dollars(spent), held(budget), share(budget)];
  say(cells.words, `${money(gone + open)} of ${money(limit)} · ${told(part)}`);
  const parts = `${money(reserved)} reserved for what is under way, ${money(uncertain)} uncertain`;
  const words = `${title(budget)}: ${money(spent)} spent, ${parts}, of ${money(limit)}`;
  cells.bar.setAttribute("aria-label", words);
  cells.bar.title = words;
  cells.spent.style.width = `${Math.min(100, (gone / all) * 100 || 0)}%`;
  cells.reserved.style.width = `${Math.min(100, (open / all) * 100 || 0)}%`;
  cells.mark.hidden = alertAt === null;
  cells.mark.style.left = `${alertAt * 100}%`;
  cells.mark.title = `warns at ${percent(alertAt)}`;
  dataset.tone = part >= 1 ? "bad" : alertAt !== null && part >= alertAt ? "wait" : "ok";
}
