// The page's arithmetic and words, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

const part = (name) => import(new URL(`../../host/src/gateway/dashboard/${name}.js`, import.meta.url));

// What makes elements at the moment a file is read has none to make here.
globalThis.document ??= { getElementById: () => null };

const words = await part("words");
const { Splitter } = await part("event-stream");
const { summed, widened, served } = await part("buckets");
const { spansOf, marksOf } = await part("waterfall");
const { standingOf } = await part("candidates");
const { share, title } = await part("budgets");

const bucket = (at, requests, more = {}) => ({
  at,
  requests,
  failed: 0,
  failed_over: 0,
  p50_ms: null,
  p95_ms: null,
  first_token_p50_ms: null,
  by_provider: {},
  ...more,
});

test("money has as many digits as say something", () => {
  const said = ["0", "0.000675", "0.01", "0.0123", "0.5", "4.312", "120", "12345.6", undefined].map(words.money);

  assert.deepEqual(said, ["$0", "$0.00068", "$0.01", "$0.012", "$0.50", "$4.31", "$120", "$12,346", "–"]);
});

test("lengths of time keep two or three digits", () => {
  const said = [0, 0.2, 132.4, 1240, 12_345, 123_000, null].map(words.length);

  assert.deepEqual(said, ["0 ms", "<1 ms", "132 ms", "1.24 s", "12.3 s", "2 min 3 s", "–"]);
});

test("a budget says whose it is, and what is held counts as gone", () => {
  const budgets = [
    { scope: "month", limit: "2", spent: "0.5", reserved: "0.25", uncertain: "0.25" },
    { of: "label:team=a:b", scope: "day", limit: "0.00", spent: "0.00", reserved: "0.00", uncertain: "0.00" },
  ];

  assert.deepEqual(budgets.map(title), ["This month", "label team=a:b, today"]);
  assert.deepEqual(budgets.map(share), [0.5, 0]);
});

test("a clock runs down to zero and no further", () => {
  assert.deepEqual([46.2, 60, 3_661, 0, -5].map(words.clock), ["0:47", "1:00", "1:01:01", "0:00", "0:00"]);
});

test("events come whole however the text is cut", () => {
  const text =
    'event: request\r\ndata: {"id":"bs-1"}\r\n\r\n: ping\n\ndata: not json\n\nevent: alert\ndata: {"a":\ndata: 1}\n\n';

  for (const size of [1, 2, 3, 7, text.length]) {
    const splitter = new Splitter();
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, place) =>
      text.slice(place * size, (place + 1) * size),
    );
    const events = pieces.flatMap((piece) => splitter.take(piece));

    assert.deepEqual(
      events,
      [{ event: "request", data: { id: "bs-1" } }, { comment: ": ping" }, { event: "alert", data: { a: 1 } }],
      `cut every ${size}`,
    );
  }
});

test("an hour in one: counts are added, medians weigh as many requests as they had", () => {
  const sum = summed([
    bucket(0, 1, { p50_ms: 900, p95_ms: 950 }),
    bucket(10, 9, { failed: 2, failed_over: 3, p50_ms: 100, p95_ms: 400 }),
    bucket(20, 0),
  ]);

  assert.deepEqual(sum, { requests: 10, failed: 2, failedOver: 3, median: 100, slowest: 950 });
});

test("wider buckets lose nothing, and only the oldest is smaller", () => {
  const buckets = [1, 2, 3, 4, 5].map((requests, place) =>
    bucket(place * 10, requests, { by_provider: { groq: requests } }),
  );

  const wide = widened(buckets, 3);

  assert.deepEqual(
    wide.map(({ at, requests }) => [at, requests]),
    [
      [0, 1],
      [10, 5],
      [30, 9],
    ],
  );
  assert.deepEqual(served(wide), [["groq", 15]]);
  assert.equal(widened(buckets, 5), buckets);
});

test("a record's steps become bars: a failure, a wait, a hedge that lost, an answer", () => {
  const target = (name) => ({ target: `${name}/m` });
  const steps = [
    { at_ms: 0, event: "decided", candidates: [], verdict: "attempt a/m" },
    { at_ms: 0, event: "attempting", ...target("a") },
    { at_ms: 10, event: "failed", ...target("a"), failure: { kind: "rate-limited", status: 429 }, took_ms: 10 },
    { at_ms: 10, event: "waiting", ...target("a"), wait_ms: 20 },
    { at_ms: 30, event: "attempting", ...target("a") },
    { at_ms: 40, event: "attempting", ...target("b") },
    { at_ms: 60, event: "served", ...target("b"), took_ms: 20 },
    { at_ms: 61, event: "cancelled", ...target("a"), took_ms: 31 },
    { at_ms: 90, event: "completed", ...target("b"), took_ms: 50 },
  ];

  const spans = spansOf({ steps, took_ms: 90 }).map(({ kind, target, from, to, answered, end }) => [
    kind,
    target,
    from,
    to,
    answered,
    end,
  ]);

  assert.deepEqual(spans, [
    ["attempt", "a/m", 0, 10, undefined, "failed"],
    ["wait", "a/m", 10, 30, undefined, "waited"],
    ["attempt", "a/m", 30, 61, undefined, "cancelled"],
    ["attempt", "b/m", 40, 90, 60, "served"],
  ]);
});

test("an attempt that nothing ends goes on to the end of the request", () => {
  const [span] = spansOf({ steps: [{ at_ms: 5, event: "attempting", target: "a/m" }], took_ms: 80 });

  assert.deepEqual([span.from, span.to, span.end], [5, 80, "open"]);
});

test("the scale has round marks, three to six", () => {
  for (const total of [1, 3, 9, 47, 132, 441, 999, 1_000, 12_345, 600_000]) {
    const marks = marksOf(total);

    assert.ok(marks.length >= 3 && marks.length <= 6, `${total}: ${marks}`);
    assert.ok(marks.at(-1) <= total);
  }
  assert.deepEqual(marksOf(441), [0, 100, 200, 300, 400]);
});

test("a standing is read with its wait, in either spelling", () => {
  const read = ["ready", "cooling down (1200 ms)", "cooling-down (90000 ms)", "out of quota"].map(standingOf);

  assert.deepEqual(read, [
    { name: "ready", wait: null },
    { name: "cooling down", wait: "1.20 s" },
    { name: "cooling down", wait: "1 min 30 s" },
    { name: "out of quota", wait: null },
  ]);
});
