// A gateway, a browser, and a fresh page of the one in the other for each test, which must load nothing from elsewhere
// and leave no complaint behind.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";

import { Browser } from "./browser.mjs";
import { Stage } from "./stage.mjs";

const PROVIDERS = ["groq", "cerebras", "openai"];
const FLAGS = [
  ...PROVIDERS.flatMap((name) => ["--provider", name]),
  // No target is asked twice, so that what happens does not hang on the retries that were spent before.
  ...["--route", 'strategy = "smart"\noptions = { retries = 0 }\nshadow = "round-robin"\ndeadline = "20s"'],
  // Prices that nobody knows are taken for these: the models are made up.
  ...[
    "--settings",
    `[budget]
daily_usd = "1"
unknown_price = { input_per_mtok = "2", output_per_mtok = "8" }
[budget.labels."team=search"]
monthly_usd = "20"
[providers.openai.budget]
daily_usd = "5"
[routes.default.budget]
daily_usd = "2"`,
  ],
];

/** What the tests of one file look at. */
export class View {
  /** Has a file's tests find three healthy providers and a page that is live. */
  static ofStage() {
    const view = new View();
    before(async () => {
      view.stage = await Stage.start(...FLAGS);
      view.browser = await Browser.start();
    });
    beforeEach(() => view.#begin());
    afterEach(() => view.#end());
    after(async () => {
      await view.browser?.close();
      await view.stage?.end();
    });
    return view;
  }

  async #begin() {
    for (const provider of PROVIDERS) {
      await this.stage.direct(provider, "answer");
      await this.stage.order(`providers/${provider}/clear`);
    }
    await this.stage.order("preference/clear");
    this.page = await this.browser.open(`${this.stage.gateway}/`);
    await this.page.waitForSelector('[data-link="live"] [data-provider="openai"]');
  }

  async #end() {
    const { complaints, foreign } = this.page;
    await this.page.close();
    assert.deepEqual({ complaints, foreign }, { complaints: [], foreign: [] });
  }

  /** A provider's row. */
  row(name) {
    return this.page.locator(`.provider[data-provider="${name}"]`);
  }

  /** Until the page shows a provider in a state. */
  inState(name, state) {
    return this.page.waitForSelector(`.provider[data-provider="${name}"][data-state="${state}"]`);
  }

  /** Presses a button of a provider. */
  press(name, words) {
    return this.row(name).getByRole("button", { name: words }).click();
  }

  /** Presses a button of the dialog that is open. */
  send(words) {
    return this.page.locator("dialog").getByRole("button", { name: words }).click();
  }
}
