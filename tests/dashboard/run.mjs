// The dashboard in headless Chromium, before the real gateway and scripted providers. `npm ci && npm test`.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { Browser } from "./browser.mjs";
import { Stage } from "./stage.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const CAST = ["--provider", "groq", "--provider", "cerebras", "--provider", "openai"];
// No target is asked twice, so that what happens does not hang on the retries that were spent before.
const ROUTE = ["--route", 'strategy = "smart"\noptions = { retries = 0 }\ndeadline = "20s"'];
// Prices that nobody knows are taken for these: the models are made up.
const BUDGET = ["--settings", '[budget]\ndaily_usd = "1"\nunknown_price = { input_per_mtok = "2", output_per_mtok = "8" }'];
const MARKUP = '<img src="x" onerror="document.title = 1"><b>too many</b>';

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser.close());

describe("a gateway without keys", () => {
  let stage, page;

  before(async () => (stage = await Stage.start(...CAST, ...ROUTE, ...BUDGET)));
  after(() => stage.end());
  beforeEach(async () => {
    for (const provider of ["groq", "cerebras", "openai"]) {
      await stage.direct(provider, "answer");
      await fetch(`${stage.gateway}/api/providers/${provider}/clear`, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    }
    await fetch(`${stage.gateway}/api/preference/clear`, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    page = await browser.open(`${stage.gateway}/`);
    await page.waitForSelector('[data-link="live"] [data-provider="openai"]');
  });
  afterEach(async () => {
    const { complaints, foreign } = page;
    await page.close();
    assert.deepEqual({ complaints, foreign }, { complaints: [], foreign: [] });
  });

  const row = (name) => page.locator(`.provider[data-provider="${name}"]`);
  const inState = (name, state) => page.waitForSelector(`.provider[data-provider="${name}"][data-state="${state}"]`);
  const press = (name, words) => row(name).getByRole("button", { name: words }).click();
  const send = (words) => page.locator("dialog").getByRole("button", { name: words }).click();

  test("a rate-limited provider shows its clock, and is available again when it has run down", async () => {
    await stage.direct("groq", "429:3");
    await inState("groq", "available");

    const { provider } = await stage.ask();

    assert.equal(provider, "cerebras");
    await inState("groq", "rate-limited");
    assert.match(await row("groq").locator(".cell-state .digits").textContent(), /^0:0[123]$/);
    await stage.direct("groq", "answer");
    await inState("groq", "available");
    assert.equal((await stage.ask()).provider, "groq");
  });

  test("a provider that goes on failing is left alone, and an answer to the probe brings it back", async () => {
    await stage.direct("groq", "500");

    for (let asked = 0; asked < 12; asked += 1) await stage.ask();

    await inState("groq", "temporarily-disabled");
    assert.match(await row("groq").locator(".health").textContent(), /server error in a row/);
    await stage.direct("groq", "answer");
    await press("groq", "End the cooldowns of groq");
    await inState("groq", "available");
  });

  test("each request that ends appears at once, and its story tells every step with its reason", async () => {
    await stage.direct("groq", `500:${MARKUP}`);
    await stage.direct("cerebras", "429");

    const { id, provider } = await stage.ask();
    await page.locator(`.request-list [data-id="${id}"] a`).click();
    await page.waitForSelector("#story .step");

    assert.equal(provider, "openai");
    assert.match(page.url(), new RegExp(`#/requests/${id}$`));
    const events = await page.$$eval("#story .step", (steps) => steps.map((step) => step.dataset.event));
    assert.deepEqual(events.filter((event) => event !== "completed"), [
      "decided", "attempting", "failed", "decided", "attempting", "failed", "decided", "attempting", "served",
    ]);
    const reasons = await page.$$eval("#story .because", (all) => all.map((reason) => reason.textContent));
    assert.equal(reasons.length, 3);
    assert.match(reasons[1], /after a server error/);
    assert.match(reasons[2], /after a rate limit/);
    const chosen = await page.$$eval("#story .chosen .target", (all) => all.map((target) => target.textContent));
    assert.deepEqual(chosen, ["groq/groq-model", "cerebras/cerebras-model", "openai/openai-model"]);
    const standings = await page.$$eval("#story .candidates:last-of-type .pill", (all) => all.map((pill) => pill.textContent));
    assert.ok(standings.includes("cooling down"), `one candidate is cooling down: ${standings}`);
    assert.equal(await page.$$eval("#story .lane", (lanes) => lanes.length), 3);
    assert.match(await page.textContent("#story h2"), /^openai\/openai-model answered on attempt 3 in /);
  });

  test("what a provider says is text, whatever it says", async () => {
    await stage.direct("groq", `500:${MARKUP}`);

    const { id } = await stage.ask();
    await page.goto(`${stage.gateway}/#/requests/${id}`);
    const quote = page.locator("#story blockquote").first();

    assert.ok((await quote.textContent()).includes(MARKUP));
    assert.equal(await quote.locator("*").count(), 0);
    assert.equal(await page.title(), "Backstop");
  });

  test("a story has an address of its own, and says so where there is none", async () => {
    const { id } = await stage.ask();

    const other = await browser.open(`${stage.gateway}/#/requests/${id}`);
    await other.waitForSelector('#story .step[data-event="served"]');
    await other.goto(`${stage.gateway}/#/requests/bs-00000000000000000000000000000000`);
    await other.waitForSelector("text=There is no record of this request");
    await other.close();

    assert.deepEqual(other.foreign, []);
  });

  test("the list is searched by what happened and by words", async () => {
    await stage.direct("groq", "500");
    const failedOver = await stage.ask();
    await stage.direct("groq", "answer");
    const plain = await stage.ask();
    const isShown = (id) => page.locator(`.request-list [data-id="${id}"]`);
    await isShown(plain.id).waitFor();

    await page.selectOption("#by-outcome", "failed-over");
    await isShown(failedOver.id).waitFor();
    assert.equal(await isShown(plain.id).count(), 0);
    await page.selectOption("#by-outcome", "");
    await page.fill("#by-text", plain.id);

    await isShown(plain.id).waitFor();
    assert.equal(await page.locator(".request-list li").count(), 1);
  });

  test("a forced provider answers all, until the preference is cleared", async () => {
    await press("openai", "Force openai");
    await page.getByText("1 min", { exact: true }).click();
    await send("Force openai");
    await row("openai").locator(".badge:visible").waitFor();

    assert.equal((await stage.ask()).provider, "openai");

    await page.locator(".route .badge", { hasText: "forced: openai" }).waitFor();
    await page.getByRole("button", { name: "Clear preference" }).first().click();
    await row("openai").locator(".badge").waitFor({ state: "hidden" });
    assert.equal((await stage.ask()).provider, "groq");
  });

  test("a provider is cooled down and cleared by hand", async () => {
    await press("groq", "Cool down groq");
    await send("Cool down");
    await inState("groq", "rate-limited");

    assert.equal((await stage.ask()).provider, "cerebras");

    await press("groq", "End the cooldowns of groq");
    await inState("groq", "available");
  });

  test("a strategy is changed, and the story names it", async () => {
    const route = page.locator('[data-route="default"]');
    await route.getByRole("button", { name: "Change the strategy of default" }).click();
    await page.locator("dialog").getByLabel("round-robin").check();
    await send("Change");
    await route.locator(".strategy strong", { hasText: "round-robin" }).waitFor();

    const { id } = await stage.ask();
    await page.goto(`${stage.gateway}/#/requests/${id}`);
    await page.waitForSelector("#story .facts");

    assert.match(await page.textContent("#story .facts"), /Strategyround-robin/);
    await page.keyboard.press("Escape");
    await route.getByRole("button", { name: "Change the strategy of default" }).click();
    await page.locator("dialog").getByLabel("smart").check();
    await send("Change");
    await route.locator(".strategy strong", { hasText: "smart" }).waitFor();
  });

  test("every provider down is an alert, and so is the recovery", async () => {
    for (const provider of ["groq", "cerebras", "openai"]) await stage.direct(provider, "429:2");

    for (let asked = 0; asked < 3; asked += 1) await stage.ask();

    await page.locator(".alert.bad", { hasText: /every provider down/i }).first().waitFor();
    await inState("groq", "rate-limited");
    await stage.direct("groq", "answer");
    await inState("groq", "available");
    await stage.ask();
    await page.locator(".alert.ok", { hasText: /recovered/i }).first().waitFor();
  });

  test("spend stands against the budget, with the mark where it warns", async () => {
    await stage.ask();
    const budget = page.locator('.budget[data-scope="day"]');
    await budget.waitFor();

    assert.match(await budget.textContent(), /of \$1 · /);
    assert.equal(await budget.locator(".budget-mark").evaluate((mark) => mark.style.left), "80%");
    await page.locator(".cost", { hasText: "groq/groq-model" }).waitFor();
  });

  test("charts draw what happened", async () => {
    await stage.direct("groq", "500");
    await stage.ask();

    await page.locator(".chart-hole[aria-label*='after a fail-over']").waitFor();
    assert.equal(await page.locator(".chart canvas").count(), 4);
    await page.waitForFunction(() => !/^Requests: 0 served at once, 0 after/.test(document.querySelector(".chart-hole").ariaLabel));
  });

  test("the keyboard is enough: a row opens, the story closes, and the place is kept", async () => {
    const { id } = await stage.ask();
    const link = page.locator(`.request-list [data-id="${id}"] a`);
    await link.focus();

    await page.keyboard.press("Enter");
    await page.waitForSelector("#story .step");
    assert.equal(await page.evaluate(() => document.activeElement.id), "story");
    await page.keyboard.press("Escape");

    assert.ok(await page.isHidden("#story"));
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), `#/requests/${id}`);
  });

  test("dark follows the system, and the choice of the operator goes before it and stays", async () => {
    const isDark = () => page.evaluate(() => {
      const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
      return red + green + blue < 150;
    });
    assert.equal(await isDark(), false);

    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await isDark(), true);
    await page.getByRole("button", { name: "Use the light theme" }).click();
    assert.equal(await isDark(), false);
    await page.reload();

    assert.equal(await isDark(), false);
    await page.evaluate(() => localStorage.clear());
  });

  test("a phone shows all of it without scrolling sideways", async () => {
    await stage.direct("groq", `500:${"a_message_without_any_space_".repeat(20)}`);
    const { id } = await stage.ask();
    await page.setViewportSize({ width: 390, height: 844 });
    const widths = () => page.evaluate(() => [document.documentElement, document.getElementById("story")].map((element) => element.scrollWidth - element.clientWidth));

    assert.deepEqual(await widths(), [0, 0]);
    await page.goto(`${stage.gateway}/#/requests/${id}`);
    await page.waitForSelector("#story .step");
    assert.deepEqual(await widths(), [0, 0]);
  });

  test("axe finds nothing to complain about, in either theme, with a story or a dialog open", async () => {
    await stage.direct("groq", "500");
    await stage.direct("cerebras", "429:30");
    const { id } = await stage.ask();
    await inState("cerebras", "rate-limited");
    const violations = async () => {
      const { passes, violations } = await page.evaluate(`${axe}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] })`);
      assert.ok(passes.some(({ id }) => id === "color-contrast"));
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
    };
    await page.emulateMedia({ reducedMotion: "reduce" });

    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(), [], `${colorScheme}, the page`);
      await page.goto(`${stage.gateway}/#/requests/${id}`);
      await page.waitForSelector("#story .step");
      assert.deepEqual(await violations(), [], `${colorScheme}, a story`);
      await page.keyboard.press("Escape");
      await press("groq", "Force groq");
      assert.deepEqual(await violations(), [], `${colorScheme}, a dialog`);
      await page.keyboard.press("Escape");
    }
  });

  test("a configuration that is wrong is refused with every problem, one that is right is taken", async () => {
    const file = join(stage.home, "backstop.toml");
    const good = await readFile(file, "utf8");
    await writeFile(file, `${good}\n[routes.other]\ntargets = ["grok"]\nstrategy = 7\n`);
    await page.getByRole("button", { name: "Configuration" }).click();
    await page.locator("dialog .config", { hasText: "[providers.groq]" }).waitFor();
    await send("Reload from file");
    await page.locator("dialog .problems li", { hasText: "grok" }).waitFor();
    page.complaints = page.complaints.filter((complaint) => !complaint.includes("422"));

    await writeFile(file, good);
    await send("Reload from file");

    await page.locator("dialog").waitFor({ state: "detached" });
  });
});

describe("a gateway with keys", () => {
  let stage, key;

  before(async () => {
    stage = await Stage.start(...CAST, "--run", "keys create ops --admin");
    key = stage.runs[0].trim();
  });
  after(() => stage.end());

  test("asks for an admin key once, says why one is refused, and keeps it in the tab alone", async () => {
    const page = await browser.open(`${stage.gateway}/`);
    await page.waitForSelector("#key");
    assert.equal(await page.locator("dialog").count(), 1);
    await page.fill("#key", "wrong");
    await send(page, "Use key");
    await page.locator("dialog .hint", { hasText: /key/ }).first().waitFor();
    await page.waitForFunction(() => document.querySelector("#key")?.value === "");

    await page.fill("#key", key);
    await send(page, "Use key");
    await page.waitForSelector('[data-link="live"] [data-provider="groq"]');

    const kept = await page.evaluate(() => [location.href, JSON.stringify(localStorage), document.cookie].join());
    assert.ok(!kept.includes(key));
    await page.reload();
    await page.waitForSelector('[data-link="live"] [data-provider="groq"]');
    assert.equal(await page.locator("dialog").count(), 0);
    assert.deepEqual(page.foreign, []);
    await page.close();
  });

  test("without a key says that it is locked, and lets one be entered later", async () => {
    const page = await browser.open(`${stage.gateway}/`);
    await page.waitForSelector("#key");
    await page.keyboard.press("Escape");

    await page.waitForSelector('[data-link="locked"] #banner:not([hidden])');
    await page.getByRole("button", { name: "Enter a key" }).click();
    await page.fill("#key", key);
    await send(page, "Use key");

    await page.waitForSelector('[data-link="live"] [data-provider="groq"]');
    assert.ok(await page.isHidden("#banner"));
    await page.close();
  });

  const send = (page, words) => page.locator("dialog").getByRole("button", { name: words }).click();
});

describe("a gateway that ends", () => {
  test("is said to be gone, with what was known left standing", async () => {
    const stage = await Stage.start(...CAST);
    const page = await browser.open(`${stage.gateway}/`);
    await page.waitForSelector('[data-link="live"] [data-provider="groq"]');

    await stage.end();

    await page.waitForSelector('[data-link="gone"] #banner:not([hidden])');
    assert.match(await page.textContent("#banner"), /does not answer.*Trying again in \d+ s/);
    assert.equal(await page.locator(".provider").count(), 3);
    await page.close();
  });
});
