// Traffic, latency, fail-over and each provider's share, over time.

import { served, summed, widened } from "./buckets.js";
import { el } from "./element.js";
import { known, on, setSpan, span as minutes } from "./known.js";
import { colourOf } from "./palette.js";
import { Plot } from "./plot.js";
import { count, length, percent } from "./words.js";

const SPANS = [
  [15, "15 min"],
  [60, "1 h"],
  [360, "6 h"],
  [1440, "24 h"],
];
const MOST_BARS = 60;
const MOST_POINTS = 120;

/** Shows the charts and keeps them true. */
export function showTraffic(parent) {
  offerSpans(document.getElementById("window"));
  const charts = [requests(parent), latency(parent), failOver(parent), shares(parent)];
  on("timeline", ({ buckets }) => {
    for (const draw of charts) draw(buckets, widened(buckets, MOST_BARS));
  });
}

function offerSpans(parent) {
  const buttons = SPANS.map(([length_, words]) =>
    el("button", { type: "button", "aria-pressed": length_ === minutes(), on: { click } }, words),
  );
  function click({ target }) {
    setSpan(SPANS[buttons.indexOf(target)][0]);
    buttons.forEach((button) => button.setAttribute("aria-pressed", button === target));
  }
  parent.append(...buttons);
}

function requests(parent) {
  const words = (number) => count(number ?? 0);
  const plot = new Plot(parent, "Requests", {
    axis: wholeOrNothing,
    series: [
      { name: "served at once", colour: "var(--series-calm)", kind: "bars", words },
      { name: "after a fail-over", colour: "var(--wait-mark)", kind: "bars", words },
      { name: "failed", colour: "var(--bad-mark)", kind: "bars", words },
    ],
  });
  return (_, wide) => {
    const failed = wide.map((bucket) => bucket.failed);
    // A request may fail over and still fail: it counts as failed.
    const rescued = wide.map((bucket) => Math.max(0, Math.min(bucket.failed_over, bucket.requests - bucket.failed)));
    const plain = wide.map((bucket, place) => Math.max(0, bucket.requests - failed[place] - rescued[place]));
    const columns = [
      wide.map((bucket) => bucket.requests),
      rescued.map((number, place) => number + failed[place]),
      failed,
    ];
    const totals = [plain, rescued, failed].map((list) => words(list.reduce((sum, number) => sum + number, 0)));
    plot.show(times(wide), columns.map(nothingForZero), {
      shown: [plain, rescued, failed],
      totals,
      label: `Requests: ${totals[0]} served at once, ${totals[1]} after a fail-over, ${totals[2]} failed`,
    });
  };
}

function latency(parent) {
  // The slow ones first, so that the median is drawn over them.
  const series = [
    {
      name: "p95",
      colour: "var(--series-calm)",
      kind: "line",
      fill: "var(--calm-tint)",
      words: length,
      of: (bucket) => bucket.p95_ms,
    },
    { name: "p50", colour: "var(--accent-mark)", kind: "line", words: length, of: (bucket) => bucket.p50_ms },
    {
      name: "first token",
      colour: "var(--probe-mark)",
      kind: "dashes",
      words: length,
      of: (bucket) => bucket.first_token_p50_ms,
    },
  ];
  const plot = new Plot(parent, "Latency", {
    axis: (ms) => (ms >= 1000 ? `${+(ms / 1000).toFixed(1)} s` : `${ms} ms`),
    series,
  });
  return (buckets) => {
    const sum = summed(buckets);
    const points = widened(buckets, MOST_POINTS);
    const columns = series.map(({ of }) => points.map((bucket) => of(bucket) ?? null));
    const totals = [sum.slowest === null ? "–" : `≤ ${length(sum.slowest)}`, length(sum.median), ""];
    plot.show(times(points), columns, {
      totals,
      label: `Latency: median ${length(sum.median)}, p95 at most ${length(sum.slowest)}`,
    });
  };
}

function failOver(parent) {
  const plot = new Plot(parent, "Fail-over rate", {
    axis: percent,
    series: [
      { name: "failed over", colour: "var(--wait-mark)", kind: "line", fill: "var(--wait-tint)", words: percent },
      { name: "failed", colour: "var(--bad-mark)", kind: "line", fill: "var(--bad-tint)", words: percent },
    ],
  });
  return (buckets, wide) => {
    const sum = summed(buckets);
    const rate = (of) => wide.map((bucket) => (bucket.requests > 0 ? of(bucket) / bucket.requests : null));
    const totals = [sum.failedOver, sum.failed].map((number) =>
      percent(sum.requests > 0 ? number / sum.requests : null),
    );
    plot.show(times(wide), [rate((bucket) => bucket.failed_over), rate((bucket) => bucket.failed)], {
      totals,
      label: `Fail-over rate ${totals[0]}, failure rate ${totals[1]}`,
    });
  };
}

function shares(parent) {
  const plot = new Plot(parent, "Share by provider", { axis: percent, bound: 1 });
  return (buckets, wide) => {
    // In the order of the configuration: what has no place there (a provider since removed) comes last.
    const order = (known("providers") ?? []).map((provider) => provider.provider);
    const sums = served(buckets).toSorted(([a], [b]) => placeIn(order, a) - placeIn(order, b));
    const all = sums.reduce((sum, [, number]) => sum + number, 0);
    // The first is drawn over the others: each column is its own share and all that come after it in the list.
    const names = sums.map(([name]) => name);
    plot.setSeries(names.map((name) => ({ name, colour: colourOf(name), kind: "steps", words: percent })));
    const own = names.map((name) => wide.map((bucket) => shareOf(bucket, name)));
    const columns = own.map((_, index) =>
      wide.map((_, place) => own.slice(index).reduce((sum, column) => sum + (column[place] ?? 0), 0) || null),
    );
    const totals = sums.map(([, number]) => percent(number / all));
    plot.show(times(wide), columns, {
      shown: own,
      totals,
      label: `Share by provider: ${names.map((name, place) => `${name} ${totals[place]}`).join(", ")}`,
    });
  };
}

function shareOf(bucket, name) {
  const all = Object.values(bucket.by_provider ?? {}).reduce((sum, number) => sum + number, 0);
  return all > 0 ? (bucket.by_provider[name] ?? 0) / all : null;
}

function placeIn(order, name) {
  const place = order.indexOf(name);
  return place < 0 ? order.length : place;
}

function times(buckets) {
  return buckets.map((bucket) => bucket.at);
}

function nothingForZero(column) {
  return column.map((value) => value || null);
}

function wholeOrNothing(value) {
  return Number.isInteger(value) ? count(value) : "";
}
