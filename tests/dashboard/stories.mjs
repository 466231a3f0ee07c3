// The latest requests, and the story of each.

import assert from "node:assert/strict";
import { test } from "node:test";

import { View } from "./view.mjs";

const MARKUP = '<img src="x" onerror="document.title = 1"><b>too many</b>';

const view = View.ofStage();

test("each request that ends appears at once, and its story tells every step with its reason", async () => {
  await view.stage.direct("groq", `500:${MARKUP}`);
  await view.stage.direct("cerebras", "429");

  const { id, provider } = await view.stage.ask();
  await view.page.locator(`.request-list [data-id="${id}"] a`).click();
  await view.page.waitForSelector("#story .step");

  assert.equal(provider, "openai");
  assert.match(view.page.url(), new RegExp(`#/requests/${id}$`));
  const events = await view.page.$$eval("#story .step", (steps) => steps.map((step) => step.dataset.event));
  assert.deepEqual(
    events.filter((event) => event !== "completed"),
    ["decided", "attempting", "failed", "decided", "attempting", "failed", "decided", "attempting", "served"],
  );
  const reasons = await view.page.$$eval("#story .because", (all) => all.map((reason) => reason.textContent));
  assert.equal(reasons.length, 3);
  assert.match(reasons[1], /after a server error/);
  assert.match(reasons[2], /after a rate limit/);
  const chosen = await view.page.$$eval("#story .chosen .target", (all) => all.map((target) => target.textContent));
  assert.deepEqual(chosen, ["groq/groq-model", "cerebras/cerebras-model", "openai/openai-model"]);
  const standings = await view.page.$$eval("#story .candidates:last-of-type .pill", (all) =>
    all.map((pill) => pill.textContent),
  );
  assert.ok(standings.includes("cooling down"), `one candidate is cooling down: ${standings}`);
  assert.equal(await view.page.$$eval("#story .lane", (lanes) => lanes.length), 3);
  assert.match(await view.page.textContent("#story h2"), /^openai\/openai-model answered on attempt 3 in /);
});

test("what a provider says is text, whatever it says", async () => {
  await view.stage.direct("groq", `500:${MARKUP}`);

  const { id } = await view.stage.ask();
  await view.page.goto(`${view.stage.gateway}/#/requests/${id}`);
  const quote = view.page.locator("#story blockquote").first();

  assert.ok((await quote.textContent()).includes(MARKUP));
  assert.equal(await quote.locator("*").count(), 0);
  assert.equal(await view.page.title(), "Backstop");
});

test("a story has an address of its own, and says so where there is none", async () => {
  const { id } = await view.stage.ask();

  const other = await view.browser.open(`${view.stage.gateway}/#/requests/${id}`);
  await other.waitForSelector('#story .step[data-event="served"]');
  await other.goto(`${view.stage.gateway}/#/requests/bs-00000000000000000000000000000000`);
  await other.waitForSelector("text=There is no record of this request");
  await other.close();

  assert.deepEqual(other.foreign, []);
});

test("the list is searched by what happened and by words", async () => {
  await view.stage.direct("groq", "500");
  const failedOver = await view.stage.ask();
  await view.stage.direct("groq", "answer");
  const plain = await view.stage.ask();
  const isShown = (id) => view.page.locator(`.request-list [data-id="${id}"]`);
  await isShown(plain.id).waitFor();

  await view.page.selectOption("#by-outcome", "failed-over");
  await isShown(failedOver.id).waitFor();
  await isShown(plain.id).waitFor({ state: "detached" });
  await view.page.selectOption("#by-outcome", "");
  await view.page.fill("#by-text", plain.id);

  await isShown(plain.id).waitFor();
  await view.page.waitForFunction(() => document.querySelectorAll(".request-list li").length === 1);
});

test("the keyboard is enough: a row opens, the story closes, and the place is kept", async () => {
  const { id } = await view.stage.ask();
  const link = view.page.locator(`.request-list [data-id="${id}"] a`);
  await link.focus();

  await view.page.keyboard.press("Enter");
  await view.page.waitForSelector("#story .step");
  assert.equal(await view.page.evaluate(() => document.activeElement.id), "story");
  await view.page.keyboard.press("Escape");

  assert.ok(await view.page.isHidden("#story"));
  assert.equal(await view.page.evaluate(() => document.activeElement.getAttribute("href")), `#/requests/${id}`);
});
