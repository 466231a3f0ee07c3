// The line to the gateway: holds the stream of events open, says how it stands, comes back when it was lost.

import * as api from "./api.js";
import { button, el, say } from "./element.js";
import { events } from "./event-stream.js";

/** A ping comes every 15 seconds. */
const SILENCE_MS = 40_000;
const PAUSES_S = [1, 2, 4, 8, 15];

const badge = document.getElementById("link");
const banner = document.getElementById("banner");
let stop = null;
let tryNow = null;
let state = "connecting";

/** Whether there is anybody to ask. */
export function isLive() {
  return state === "live";
}

/** Tells `onEvent(name, data)` everything the gateway says, and `onLive()` each time the line is there (again). */
export async function hold(onEvent, onLive) {
  for (let failures = 0; ; failures += 1) {
    const began = performance.now();
    try {
      stop = new AbortController();
      const response = await api.open("events", stop.signal);
      turn("live");
      onLive();
      for await (const { event, data } of events(response, SILENCE_MS)) {
        failures = 0;
        if (event) onEvent(event, data);
      }
    } catch (error) {
      if (error instanceof api.Refused && error.wantsKey) {
        turn("locked", error.message);
        await pressed();
        failures = -1;
        continue;
      }
    } finally {
      stop.abort();
    }
    if (performance.now() - began > SILENCE_MS) failures = 0;
    await pause(PAUSES_S[Math.min(failures, PAUSES_S.length - 1)]);
  }
}

/** Hangs up and calls again: with another key, say. */
export function redial() {
  if (tryNow) tryNow();
  else stop?.abort();
}

function turn(to, why) {
  state = to;
  document.body.dataset.link = to;
  say(badge, { live: "Live", gone: "Reconnecting", locked: "Locked", connecting: "Connecting" }[to]);
  if (to === "live") {
    banner.hidden = true;
  } else if (to === "locked") {
    banner.replaceChildren(
      el("span", {}, `An admin key is needed: ${why}`),
      button("Enter a key", () => tryNow?.()),
    );
    banner.hidden = false;
  }
}

/** Waits with a clock and a way to be quicker. A little chance keeps many pages from coming back at once. */
function pause(seconds) {
  turn("gone");
  const end = performance.now() + seconds * 1000 * (0.9 + Math.random() * 0.2);
  const words = el("span");
  banner.replaceChildren(
    words,
    button("Try now", () => tryNow?.()),
  );
  banner.hidden = false;
  return new Promise((resolve) => {
    const go = () => {
      clearInterval(timer);
      tryNow = null;
      resolve();
    };
    const tell = () => {
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) go();
      else say(words, `The gateway does not answer. What you see is as it was. Trying again in ${left} s.`);
    };
    const timer = setInterval(tell, 200);
    tryNow = go;
    tell();
  });
}

function pressed() {
  return new Promise((resolve) => {
    tryNow = () => {
      tryNow = null;
      api.useKey(api.key()); // Nobody has declined anything any more.
      resolve();
    };
  });
}
