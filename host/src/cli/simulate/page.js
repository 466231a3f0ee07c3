// Draws the report out of the numbers in the page: a table, charts that share a cursor, and who answered when.
"use strict";

const told = JSON.parse(document.getElementById("numbers").textContent);
const strategies = told.strategies;
const HEIGHT = 170;
const HOUR = 3600;
// Seconds between two marks of the time axis: what people count in.
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, HOUR, 2 * HOUR, 6 * HOUR, 24 * HOUR, 168 * HOUR];
const COLOURS = 8;
const charts = [];

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const colourOf = (place) => `var(--series-${place % COLOURS})`;

/** What a colour of the style sheet is under the theme of the moment: a canvas does not know variables. */
function resolved(colour) {
  const probe = el("span", { style: `color: ${colour}` });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

// Words for numbers

const NOTHING = "–";
const isNumber = (value) => value !== null && value !== undefined && Number.isFinite(value);
const count = (value) => (isNumber(value) ? value.toLocaleString("en") : NOTHING);
const percent = (value, digits = 1) => (isNumber(value) ? `${(value * 100).toFixed(digits)} %` : NOTHING);
const dollars = (value) => (isNumber(value) ? `$${value.toFixed(value < 1 ? 4 : 2)}` : NOTHING);
const plain = (digits) => (value) => (isNumber(value) ? value.toFixed(digits) : NOTHING);

function length(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds.toFixed(2)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds / 60) % 60)} min`;
}

const ms = (value) => length(isNumber(value) ? value / 1000 : null);

/** A moment of the scenario: since its start, or the time of day where it lasts for hours. */
function clock(seconds) {
  const pad = (number) => String(Math.floor(number)).padStart(2, "0");
  if (told.duration_seconds >= 7200) {
    const at = new Date(Date.parse(told.start) + seconds * 1000);
    return `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
  }
  return `${pad(seconds / 60)}:${pad(seconds % 60)}`;
}

// Top

function head() {
  const fact = (name, value) => el("span", { class: "fact" }, `${name} `, el("b", {}, value));
  const theme = el("button", { class: "button small", type: "button" }, "Light or dark");
  theme.addEventListener("click", () => {
    const isDark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    redraw();
  });
  const facts = [
    fact("lasts", length(told.duration_seconds)),
    fact("seed", String(told.seed)),
    fact("callers", count(strategies[0]?.callers)),
    ...told.phases.map((phase) =>
      fact(phase.provider, `${phase.what}, ${clock(phase.from)} to ${clock(phase.to)}`),
    ),
  ];
  const words = el("div", {}, el("h1", {}, told.scenario), el("p", {}, told.description));
  words.append(el("div", { class: "facts" }, ...facts));
  return el("header", {}, words, theme);
}

// Table

const recovers = (outcome) => {
  const each = outcome.recoveries.map((one) => one.recovered_after);
  return each.length === 0 || each.includes(null) ? null : Math.max(...each);
};

const ROWS = [
  ["requests", (one) => one.requests, count, 0],
  ["answered", (one) => one.success, (value) => percent(value, 3), 1],
  ["callers answered", (one) => one.callers_answered / Math.max(1, one.callers), (value) => percent(value, 3), 1],
  ["first token p50", (one) => one.first_token_ms?.p50, ms, -1, "group"],
  ["first token p95", (one) => one.first_token_ms?.p95, ms, -1],
  ["first token p99", (one) => one.first_token_ms?.p99, ms, -1],
  ["answer p50", (one) => one.answer_ms?.p50, ms, -1, "group"],
  ["answer p95", (one) => one.answer_ms?.p95, ms, -1],
  ["answer p99", (one) => one.answer_ms?.p99, ms, -1],
  ["cost", (one) => Number(one.cost_usd), dollars, -1, "group"],
  ["attempts a request", (one) => one.attempts / Math.max(1, one.requests), plain(3), -1],
  ["failed over", (one) => one.fail_over_rate, (value) => percent(value, 2), 0],
  ["recovers after an outage", recovers, length, -1],
  ["quality", (one) => one.quality, plain(4), 1],
];

function table() {
  const rows = ROWS.map(([name, of, words, better, group]) => {
    const values = strategies.map(of);
    const compared = values.filter(isNumber);
    if (compared.length === 0) return null;
    const best = better > 0 ? Math.max(...compared) : Math.min(...compared);
    const differ = compared.some((value) => value !== compared[0]);
    const cell = (value) =>
      el("td", better !== 0 && differ && value === best ? { class: "best" } : {}, words(value));
    return el("tr", group ? { class: group } : {}, el("td", {}, name), ...values.map(cell));
  });
  const shares = told.providers.map((provider, place) => {
    const share = (one) => el("td", {}, percent(one.answers[provider] / Math.max(1, one.answered)));
    return el("tr", place === 0 ? { class: "group" } : {}, el("td", {}, `by ${provider}`), ...strategies.map(share));
  });
  const headings = el("tr", {}, el("th"), ...strategies.map((one) => el("th", {}, one.strategy)));
  const body = el("tbody", {}, ...rows.filter(Boolean), ...shares);
  return el("section", { class: "card scroll" }, el("table", {}, el("thead", {}, headings), body));
}

// Charts

const slices = Math.max(0, ...strategies.map((one) => one.timeline.length));
const width = strategies[0]?.slice_seconds ?? 1;
const times = Array.from({ length: slices }, (_, place) => place * width);

/** A column of numbers over time, one for each slice; what began after the end has none. */
function column(outcome, of) {
  return times.map((_, place) => {
    const slice = outcome.timeline[place];
    const value = slice && slice.requests > 0 ? of(slice) : null;
    return isNumber(value) ? value : null;
  });
}

/** The stretches in which a provider behaves otherwise, as bands behind the lines. */
function bands(chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = resolved("var(--wait-tint)");
  for (const { from, to } of told.phases) {
    const [left, right] = [from, Math.min(to, told.duration_seconds)].map((at) => chart.valToPos(at, "x", true));
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

class Chart {
  constructor(parent, title, { series, columns, words, stacked = false, top }) {
    this.series = series;
    this.words = words;
    this.stacked = stacked;
    this.top = top;
    this.shown = columns;
    this.columns = stacked ? stack(columns) : columns;
    this.moment = el("span", { class: "moment" });
    this.cells = series.map(() => el("b"));
    const names = series.map(({ name, colour }, place) => {
      const mark = el("span", { class: stacked ? "mark area" : "mark", style: `color: ${colour}` });
      return el("span", { class: "name" }, mark, name, this.cells[place]);
    });
    this.hole = el("div", { class: "plot", role: "img", "aria-label": title });
    const caption = el("figcaption", {}, el("span", {}, title), this.moment);
    parent.append(el("figure", { class: "card" }, caption, el("p", { class: "legend" }, ...names), this.hole));
    charts.push(this);
    new ResizeObserver(() => this.plot?.setSize({ width: this.hole.clientWidth, height: HEIGHT })).observe(this.hole);
  }

  draw() {
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), [times, ...this.columns], this.hole);
  }

  tell(place) {
    const points = isNumber(place) && times[place] !== undefined;
    this.moment.textContent = points ? clock(times[place]) : "";
    this.cells.forEach((cell, one) => {
      cell.textContent = points ? this.words(this.shown[one][place]) : "";
    });
  }

  /** From nothing, but for shares that are all near the whole: their differences would not be seen. */
  range(low, high) {
    if (this.top) return [low > 0.9 ? 0.9 : 0, this.top];
    return [0, high > 0 ? high * 1.1 : 1];
  }

  options() {
    const [ink, grid] = [resolved("var(--ink-3)"), resolved("var(--line)")];
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: ink, font, ticks: { show: false }, grid: { stroke: grid, width: 1 }, gap: 6 };
    const drawn = ({ colour }) => {
      const stroke = resolved(colour);
      const usual = { stroke, width: 1.6, points: { show: false }, spanGaps: false };
      return this.stacked ? { ...usual, width: 0, fill: stroke, paths: uPlot.paths.stepped({ align: 1 }) } : usual;
    };
    return {
      width: this.hole.clientWidth || 480,
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: "simulation" }, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [0, Math.max(told.duration_seconds, 1)] },
        y: { range: (_, low, high) => this.range(low, high) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 24, space: 70, incrs: STEPS, values: (_, values) => values.map(clock) },
        { ...axis, size: 64, space: 36, values: (_, values) => values.map((value) => this.words(value)) },
      ],
      series: [{}, ...this.series.map(drawn)],
      hooks: {
        drawClear: [bands],
        setCursor: [(chart) => this.tell(chart.cursor.left >= 0 ? chart.cursor.idx : null)],
      },
    };
  }
}

/** Each column on top of those after it, so that the first one drawn is the sum of all. */
function stack(columns) {
  const sums = columns.map((values) => values.map((value) => value ?? 0));
  for (let place = sums.length - 2; place >= 0; place -= 1)
    sums[place] = sums[place].map((value, at) => value + sums[place + 1][at]);
  return sums;
}

const OVER_TIME = [
  ["Answered", (slice) => slice.answered / slice.requests, percent, 1.005],
  ["Answer, p95", (slice) => slice.answer_ms?.p95, ms],
  ["First token, p95", (slice) => slice.first_token_ms?.p95, ms],
  ["Cost a minute", (slice) => (Number(slice.cost_usd) * 60) / width, dollars],
  ["Attempts a request", (slice) => slice.attempts / slice.requests, plain(2)],
  ["Failed over", (slice) => slice.failed_over / slice.requests, percent],
];

function overTime() {
  const parent = el("section", { class: "charts" });
  const series = strategies.map((one, place) => ({ name: one.strategy, colour: colourOf(place) }));
  for (const [title, of, words, top] of OVER_TIME) {
    const columns = strategies.map((one) => column(one, of));
    if (columns.some((values) => values.some(isNumber)))
      new Chart(parent, title, { series, columns, words, top });
  }
  return parent;
}

function whoAnswered() {
  const parent = el("section", { class: "charts" });
  const failed = { name: "nobody", colour: "var(--bad-mark)" };
  const series = [...told.providers.map((name, place) => ({ name, colour: colourOf(place) })), failed];
  for (const outcome of strategies) {
    const byProvider = told.providers.map((_, place) => column(outcome, (slice) => slice.answers[place] / width));
    const nobody = column(outcome, (slice) => (slice.requests - slice.answered) / width);
    const columns = [...byProvider, nobody];
    new Chart(parent, outcome.strategy, { series, columns, words: plain(1), stacked: true });
  }
  return parent;
}

function redraw() {
  for (const chart of charts) chart.draw();
}

document.title = `${told.scenario} · Backstop simulation`;
document.getElementById("report").append(
  head(),
  table(),
  el("section", {}, el("h2", {}, "Over the scenario's time"), overTime()),
  el("section", {}, el("h2", {}, "Who answered, requests a second"), whoAnswered()),
  el("p", { class: "note" }, "Bands: a provider behaves otherwise. Requests count where they began."),
);
redraw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
