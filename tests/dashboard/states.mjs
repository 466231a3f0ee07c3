// What the page shows of providers and of all requests together.

import assert from "node:assert/strict";
import { test } from "node:test";

import { View } from "./view.mjs";

const view = View.ofStage();

test("a rate-limited provider shows its clock, and is available again when it has run down", async () => {
  await view.stage.direct("groq", "429:3");
  await view.inState("groq", "available");

  const { provider } = await view.stage.ask();

  assert.equal(provider, "cerebras");
  await view.inState("groq", "rate-limited");
  assert.match(await view.row("groq").locator(".cell-state .digits").textContent(), /^0:0[123]$/);
  await view.stage.direct("groq", "answer");
  await view.inState("groq", "available");
  assert.equal((await view.stage.ask()).provider, "groq");
});

test("a provider that goes on failing is left alone, and an answer to the probe brings it back", async () => {
  await view.stage.direct("groq", "500");

  for (let asked = 0; asked < 12; asked += 1) await view.stage.ask();

  await view.inState("groq", "temporarily-disabled");
  assert.match(await view.row("groq").locator(".health").textContent(), /server error in a row/);
  await view.stage.direct("groq", "answer");
  await view.press("groq", "End the cooldowns of groq");
  await view.inState("groq", "available");
});

test("every provider down is an alert, and so is the recovery", async () => {
  for (const provider of ["groq", "cerebras", "openai"]) await view.stage.direct(provider, "429:2");

  for (let asked = 0; asked < 3; asked += 1) await view.stage.ask();

  await view.page
    .locator(".alert.bad", { hasText: /every provider down/i })
    .first()
    .waitFor();
  await view.inState("groq", "rate-limited");
  await view.stage.direct("groq", "answer");
  await view.inState("groq", "available");
  await view.stage.ask();
  await view.page
    .locator(".alert.ok", { hasText: /recovered/i })
    .first()
    .waitFor();
});

test("spend stands against the budget, with the mark where it warns", async () => {
  await view.stage.ask();
  const budget = view.page.locator('.budget[data-scope="day"]:not([data-of])');
  await budget.waitFor();

  assert.match(await budget.textContent(), /of \$1 · /);
  assert.equal(await budget.locator(".budget-mark").evaluate((mark) => mark.style.left), "80%");
  await view.page.locator(".cost", { hasText: "groq/groq-model" }).waitFor();
});

test("budgets of routes, providers and labels stand below everybody's, the fullest first", async () => {
  await view.stage.ask();
  const route = view.page.locator('.budget[data-of="route:default"]');
  await route.waitFor();
  await view.page.waitForFunction(
    () => !document.querySelector('.budget[data-of="route:default"]').textContent.includes("$0 of"),
  );

  assert.match(await route.textContent(), /^route default, today\$0\.\d+ of \$2 · \d/);
  const titles = await view.page.locator(".budget strong").allTextContents();
  assert.deepEqual(titles.slice(0, 2), ["Today", "route default, today"]);
  assert.deepEqual(titles.slice(2).toSorted(), ["label team=search, this month", "provider openai, today"]);
});

test("charts draw what happened", async () => {
  await view.stage.direct("groq", "500");
  await view.stage.ask();

  await view.page.locator(".chart-hole[aria-label*='after a fail-over']").waitFor();
  assert.equal(await view.page.locator(".chart canvas").count(), 4);
  await view.page.waitForFunction(
    () => !/^Requests: 0 served at once, 0 after/.test(document.querySelector(".chart-hole").ariaLabel),
  );
});
