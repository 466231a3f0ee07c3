// The page's first line: how it goes, in six numbers.

import { el, say } from "./element.js";
import { known, on, span as minutes } from "./known.js";
import { dollars, count, length, money, percent, span } from "./words.js";
import { summed } from "./buckets.js";

const FIGURES = ["Requests", "Answered", "Fail-over", "Median time", "In flight", "Spent today"];

/** Shows the figures and keeps them true. */
export function showFigures(parent) {
  const figures = FIGURES.map((name) => {
    const value = el("strong", { class: "figure-value" }, "–");
    const more = el("span", { class: "figure-more" });
    parent.append(el("div", { class: "figure" }, el("span", { class: "figure-name" }, name), value, more));
    return (number, aside, tone = "") => {
      say(value, number);
      say(more, aside);
      value.className = `figure-value ${tone}`;
    };
  });
  const update = () => tell(figures, known("overview"), known("timeline"));
  on("overview", update);
  on("timeline", update);
}

function tell([requests, answered, failOver, time, inFlight, spent], overview, timeline) {
  if (timeline) {
    const sum = summed(timeline.buckets);
    const back = `last ${span(minutes() * 60)}`;
    requests(count(sum.requests), back);
    answered(
      sum.requests ? percent(1 - sum.failed / sum.requests) : "–",
      `${count(sum.failed)} failed`,
      toneOfFailures(sum),
    );
    failOver(
      sum.requests ? percent(sum.failedOver / sum.requests) : "–",
      `${count(sum.failedOver)} went to another provider`,
    );
    time(length(sum.median), sum.slowest === null ? "no request yet" : `p95 up to ${length(sum.slowest)}`);
  }
  if (overview) {
    inFlight(count(overview.in_flight), `${count(overview.stats.total_requests)} since ${span(overview.uptime_s)} ago`);
    spent(money(overview.spent_today_usd), budgetLeft(overview.budgets));
  }
}

function toneOfFailures(sum) {
  if (sum.failed === 0) return "";
  return sum.failed / sum.requests > 0.05 ? "bad" : "wait";
}

function budgetLeft(budgets) {
  const day = budgets?.find((budget) => budget.scope === "day") ?? budgets?.[0];
  if (!day) return "no budget set";
  const share = (dollars(day.spent) + dollars(day.reserved)) / dollars(day.limit);
  return `${percent(Math.round(share * 100) / 100)} of ${money(day.limit)} a ${day.scope}`;
}
