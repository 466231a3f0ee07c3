// `node --test`: the strategy by itself, on questions made by hand. `backstop strategy check` has more of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { about, choose } from "./strategy.js";

const ready = (more = {}) => ({ standing: { tag: "ready" }, firstTokenMs: null, quotaLeft: null, ...more });
const resting = (ms) => ready({ standing: { tag: "cooling-down", val: ms } });
const failed = (target) => ({ target, failure: "server-error", tookMs: 20, retryAfterMs: null });

function decide(states, { options = {}, ...more } = {}) {
  choose.configure([], JSON.stringify(options));
  return choose.next({ states, attempts: [], inFlight: [], remainingMs: 60_000, ...more });
}

const chosen = (decision) => decision.verdict.val?.target ?? decision.verdict.tag;

test("asks the quickest first, and each once", () => {
  const states = [ready({ firstTokenMs: 900 }), ready({ firstTokenMs: 200 })];

  assert.equal(chosen(decide(states)), 1);
  assert.equal(chosen(decide(states, { attempts: [failed(1)] })), 0);
  assert.equal(chosen(decide(states, { attempts: [failed(1), failed(0)] })), "give-up");
});

test("spares a quota that runs low", () => {
  const states = [ready({ firstTokenMs: 900 }), ready({ firstTokenMs: 200, quotaLeft: 0.05 })];

  assert.equal(chosen(decide(states)), 0);
  assert.equal(chosen(decide(states, { options: { reserve: 0.01 } })), 1);
});

test("waits for the first to be back, within the deadline", () => {
  const states = [resting(900), resting(300)];

  assert.deepEqual(decide(states).verdict, { tag: "attempt", val: { target: 1, afterMs: 300 } });
  assert.equal(chosen(decide(states, { remainingMs: 200 })), "give-up");
  assert.equal(chosen(decide([ready({ standing: { tag: "disabled" } })], { remainingMs: null })), "give-up");
});

test("waits for a probe where nobody else is left", () => {
  const probing = ready({ standing: { tag: "probing" } });

  assert.equal(chosen(decide([probing])), 0);
  assert.equal(chosen(decide([probing, resting(300)])), 1);
});

test("says what an option must be", () => {
  const refused = (error) => error === "`reserve` is 7, but must be a number from 0 to 1";

  assert.throws(() => choose.configure([], '{"reserve": 7}'), refused);
  assert.equal(JSON.parse(about.describe().optionsSchema).properties.reserve.default, 0.1);
});
