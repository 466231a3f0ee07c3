// What the page knows of the gateway: asked for at its own pace, told by events in between, handed to whoever shows it.

import * as api from "./api.js";
import { setClock } from "./clock.js";

/**
 * What is asked for, where it is in the answer, and after how many seconds it is asked for again; however often
 * something changes, `pause` seconds lie between, or else one.
 */
const SOURCES = {
  overview: { path: () => "overview", pick: (body) => body, every: 3 },
  providers: { path: () => "providers", pick: (body) => body.providers, every: 15 },
  routes: { path: () => "routes", pick: (body) => body.routes, every: 10 },
  strategies: { path: () => "strategies", pick: (body) => body.strategies, every: 15 },
  timeline: { path: () => `timeline?minutes=${minutes}`, pick: (body) => body, every: 5, pause: 2.5 },
  costs: { path: () => "costs?days=30", pick: (body) => body, every: 60 },
};

const values = {};
const listeners = {};
const turns = Object.fromEntries(
  Object.keys(SOURCES).map((noun) => [noun, { asked: -Infinity, due: 0, isAsking: false }]),
);
let minutes = 60;

/** What is known of a noun now. */
export function known(noun) {
  return values[noun];
}

/** Calls with each new value of a noun. */
export function on(noun, listener) {
  (listeners[noun] ??= []).push(listener);
}

/** Takes note of a value, from wherever it came. */
export function put(noun, value) {
  values[noun] = value;
  for (const listener of listeners[noun] ?? []) listener(value);
}

/** Has a noun asked for soon; all of them without a name. */
export function refresh(...nouns) {
  for (const noun of nouns.length > 0 ? nouns : Object.keys(SOURCES)) turns[noun].due = 0;
}

/** How far back the timeline goes. */
export function span() {
  return minutes;
}

export function setSpan(to) {
  minutes = to;
  turns.timeline.asked = -Infinity;
  refresh("timeline");
}

/** Asks for what is due; to be called a few times a second, while somebody looks. */
export function askForWhatIsDue() {
  const time = performance.now();
  for (const [noun, turn] of Object.entries(turns)) {
    // The providers come first: all else takes its colours from their order.
    if (!values.providers && noun !== "providers") continue;
    const pause = (SOURCES[noun].pause ?? 1) * 1000;
    if (!turn.isAsking && time >= turn.due && time >= turn.asked + pause) ask(noun, turn, time);
  }
}

async function ask(noun, turn, time) {
  const source = SOURCES[noun];
  Object.assign(turn, { isAsking: true, asked: time, due: time + source.every * 1000 });
  const path = source.path();
  try {
    const body = await api.get(path);
    if (noun === "overview") setClock(Date.parse(body.started) + body.uptime_s * 1000);
    if (path === source.path()) put(noun, source.pick(body));
  } catch (error) {
    if (error instanceof api.Refused && !error.wantsKey) console.warn(`${path}: ${error.message}`);
    // A gateway that is gone is the link's affair: its banner says so, and it has all of this asked for again.
  } finally {
    turn.isAsking = false;
  }
}
