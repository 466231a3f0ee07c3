// The page: puts each part in its place, keeps the clocks going and the line to the gateway open.

import { onLocked } from "./api.js";
import { addAlert, showAlerts } from "./alerts.js";
import { onZero, turnAll } from "./clock.js";
import { showConfiguration } from "./configuration.js";
import { say } from "./element.js";
import { showFigures } from "./figures.js";
import { askForKey, manageKey } from "./key.js";
import { askForWhatIsDue, known, on, put, refresh } from "./known.js";
import { hold, isLive } from "./link.js";
import { colourOf } from "./palette.js";
import { showProviders } from "./providers.js";
import { addRequest, reloadRequests, showRequests } from "./requests.js";
import { showRoutes } from "./routes.js";
import { showSpend } from "./spend.js";
import { reopen, showStories } from "./story.js";
import { toast } from "./toast.js";
import { showTraffic } from "./traffic.js";
import { span } from "./words.js";

/** What ended just before the page was opened is neither told to it nor yet in the store; by then it is. */
const SETTLED_MS = 1_000;

const place = (id) => document.getElementById(id);

on("providers", (providers) => providers.forEach((provider) => colourOf(provider.provider)));
on("overview", ({ version, instance, uptime_s: uptime }) =>
  say(place("about"), [version, instance, `up ${span(uptime)}`].filter(Boolean).join(" · ")),
);
showFigures(place("figures"));
showProviders(place("providers"));
showAlerts(place("alerts"));
showSpend(place("spend"));
showTraffic(place("charts"));
showRequests(place("requests"));
showRoutes(place("routes"));
onLocked(askForKey);
place("open-key").addEventListener("click", manageKey);
place("open-config").addEventListener("click", showConfiguration);

onZero(() => refresh("providers")); // A cooldown that ends by itself is no event.
setInterval(() => {
  turnAll();
  if (isLive() && !document.hidden) askForWhatIsDue();
}, 250);

let hasBegun = false;
on("providers", () => {
  if (hasBegun) return;
  hasBegun = true;
  reloadRequests();
  setTimeout(reloadRequests, SETTLED_MS);
});

function take(event, said) {
  if (event === "request") {
    addRequest(said);
    refresh("overview", "timeline");
  } else if (event === "providers") {
    // Only what moves: what a provider did today comes with the next answer.
    const before = new Map((known("providers") ?? []).map((provider) => [provider.provider, provider]));
    put(
      "providers",
      said.providers.map((provider) => ({ ...before.get(provider.provider), ...provider })),
    );
    refresh("providers", "routes");
  } else if (event === "alert") {
    addAlert(said);
  } else if (event === "reload") {
    toast(["The configuration was read anew", ...said.notices].join(". "), "good");
    refresh();
  }
}

hold(take, () => {
  refresh();
  if (hasBegun) reloadRequests();
  reopen();
});
showStories();
