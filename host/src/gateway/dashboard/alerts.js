// What an operator should have been told, newest first.

import { el, keyed, say } from "./element.js";
import { now } from "./clock.js";
import { known, on, put } from "./known.js";
import { moment } from "./words.js";

const TONES = {
  "every-provider-down": "bad",
  "ledger-unavailable": "bad",
  "shared-store-lost": "bad",
  "key-rejected": "bad",
  "strategy-quarantined": "bad",
  "model-unknown": "bad",
  budget: "wait",
  "reload-refused": "wait",
  recovered: "ok",
  "shared-store-back": "ok",
};

/** Shows the alerts of the overview and those that come after it. */
export function showAlerts(parent) {
  const note = document.getElementById("alerts-note");
  const list = el("ol", { class: "alert-list", tabindex: 0, "aria-labelledby": "alerts-title" });
  const nothing = el("p", { class: "empty" }, "Nothing to report.");
  parent.append(nothing, list);
  on("overview", (overview) => put("alerts", overview.alerts));
  on("alerts", (alerts) => {
    nothing.hidden = alerts.length > 0;
    say(note, alerts.length > 0 ? `${alerts.length} of late` : "");
    keyed(list, alerts, keyOf, make, () => {});
    // Read aloud is what comes from now on, not what was there when the page was opened.
    setTimeout(() => parent.setAttribute("aria-live", "polite"));
  });
}

/** Adds one that has just come. */
export function addAlert(alert) {
  const others = (known("alerts") ?? []).filter((other) => keyOf(other) !== keyOf(alert));
  put("alerts", [alert, ...others].slice(0, 50));
}

function keyOf(alert) {
  return [alert.at, alert.kind, alert.provider, alert.route, alert.scope].join(" ");
}

function make(alert) {
  const about = [alert.provider, alert.route, alert.scope].filter(Boolean).join(" · ");
  return el(
    "li",
    { class: `alert ${TONES[alert.kind] ?? "idle"}` },
    el("span", { class: "dot" }),
    el(
      "div",
      {},
      el(
        "p",
        { class: "alert-head" },
        el("strong", {}, alert.kind.replaceAll("-", " ")),
        about && el("span", {}, about),
        el("time", { datetime: alert.at }, moment(alert.at, now())),
      ),
      el("p", { class: "alert-text" }, alert.message),
    ),
  );
}
