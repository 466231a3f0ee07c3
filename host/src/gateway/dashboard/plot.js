// A chart: uPlot with this page's colours, a legend in words above it, and a cursor all charts share.

import { el, say } from "./element.js";
import { resolved } from "./palette.js";

const HEIGHT = 148;

/**
 * A chart in `parent`. `series` are `{name, colour, kind: "bars" | "steps" | "line" | "dashes", fill?, words}`: they
 * are drawn in the order given, each over the one before. `show(times, columns, totals, width)` gives it numbers to
 * draw and words for the legend while nothing is pointed at. `bound` is the upper end of the scale, where it does not
 * follow the numbers.
 */
export class Plot {
  #chart = null;
  #series;
  #parent;
  #legend;
  #hole;
  #data = [[]];
  #bound;
  #shown = [];
  #totals = [];
  #axis;
  #moment;

  constructor(parent, title, { series = [], axis, bound }) {
    this.#series = series;
    this.#axis = axis;
    this.#bound = bound;
    this.#moment = el("span", { class: "chart-moment" });
    this.#legend = el("p", { class: "legend" });
    this.#hole = el("div", { class: "chart-hole", role: "img", "aria-label": title });
    this.#parent = el(
      "figure",
      { class: "chart" },
      el("figcaption", {}, el("span", {}, title), this.#moment),
      this.#legend,
      this.#hole,
    );
    parent.append(this.#parent);
    this.#nameSeries();
    new ResizeObserver(() => this.#resize()).observe(this.#hole);
    document.addEventListener("themechange", () => this.#draw());
  }

  /** Takes other series, where their number is not known beforehand. */
  setSeries(series) {
    const names = (list) => list.map((one) => one.name).join("\n");
    if (names(series) === names(this.#series)) return;
    this.#series = series;
    this.#nameSeries();
    this.#chart?.destroy();
    this.#chart = null;
  }

  /**
   * Draws `columns` over `times`. `shown` are the numbers behind stacked columns, `totals` the words of the whole
   * span.
   */
  show(times, columns, { shown = columns, totals = [], label } = {}) {
    this.#data = [times, ...columns];
    this.#shown = shown;
    this.#totals = totals;
    if (label) this.#hole.setAttribute("aria-label", label);
    this.#parent.classList.toggle("idle", !columns.some((column) => column.some((value) => value)));
    if (this.#chart) this.#chart.setData(this.#data);
    else this.#draw();
    this.#tellLegend(this.#chart?.cursor.idx);
  }

  #nameSeries() {
    this.#legend.replaceChildren(
      ...this.#series.map((one) => {
        const mark = el("span", { class: `mark ${one.kind}` });
        mark.style.color = one.colour;
        one.cell = el("strong");
        return el("span", { class: "legend-item" }, mark, one.name, one.cell);
      }),
    );
  }

  #tellLegend(place) {
    const points = place !== null && place !== undefined && this.#data[0][place] !== undefined;
    this.#series.forEach((one, index) => {
      say(one.cell, points ? one.words(this.#shown[index]?.[place]) : (this.#totals[index] ?? ""));
    });
    say(this.#moment, points ? timeOf(this.#data[0][place]) : "");
  }

  #draw() {
    this.#chart?.destroy();
    this.#chart = new uPlot(this.#options(), this.#data, this.#hole);
    this.#hole.setAttribute("role", "img");
  }

  #resize() {
    if (this.#chart && this.#hole.clientWidth > 0)
      this.#chart.setSize({ width: this.#hole.clientWidth, height: HEIGHT });
  }

  #options() {
    const [ink, grid] = [resolved("var(--ink-3)"), resolved("var(--line)")];
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: ink, font, ticks: { show: false }, grid: { stroke: grid, width: 1 }, gap: 6 };
    return {
      width: this.#hole.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 6, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: "backstop" }, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, this.#bound ?? niceTop(high)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 24, space: 64, values: (_, times) => times.map(hourOf) },
        { ...axis, size: 46, space: 34, values: (_, values) => values.map(this.#axis) },
      ],
      series: [{}, ...this.#series.map((one) => this.#drawn(one))],
      hooks: { setCursor: [(chart) => this.#tellLegend(chart.cursor.left >= 0 ? chart.cursor.idx : null)] },
    };
  }

  #drawn({ colour, kind, fill }) {
    const stroke = resolved(colour);
    if (kind === "bars") {
      return {
        stroke,
        fill: stroke,
        width: 0,
        paths: uPlot.paths.bars({ size: [0.8, 24], align: 1 }),
        points: { show: false },
      };
    }
    if (kind === "steps") {
      return {
        stroke,
        fill: stroke,
        width: 0,
        paths: uPlot.paths.stepped({ align: 1, ascDesc: false }),
        points: { show: false },
      };
    }
    return {
      stroke,
      width: 1.5,
      dash: kind === "dashes" ? [4, 3] : undefined,
      fill: fill && resolved(fill),
      // A bucket between two empty ones has no line; it shows as a point.
      points: {
        show: true,
        size: 4,
        width: 0,
        fill: stroke,
        filter: (chart, index, show) => (show === false ? [] : lonely(chart.data[index])),
      },
    };
  }
}

function lonely(values) {
  const places = [];
  values.forEach((value, place) => {
    if (value !== null && (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null)
      places.push(place);
  });
  return places;
}

function niceTop(high) {
  return Number.isFinite(high) && high > 0 ? high * 1.12 : 1;
}

function hourOf(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function timeOf(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}
