// What an operator does with the page.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { View } from "./view.mjs";

const view = View.ofStage();

test("a forced provider answers all, until the preference is cleared", async () => {
  await view.press("openai", "Force openai");
  await view.page.getByText("1 min", { exact: true }).click();
  await view.send("Force openai");
  await view.row("openai").locator(".badge:visible").waitFor();

  assert.equal((await view.stage.ask()).provider, "openai");

  await view.page.locator(".route .badge", { hasText: "forced: openai" }).waitFor();
  await view.page.getByRole("button", { name: "Clear preference" }).first().click();
  await view.row("openai").locator(".badge").waitFor({ state: "hidden" });
  assert.equal((await view.stage.ask()).provider, "groq");
});

test("a provider is cooled down and cleared by hand", async () => {
  await view.press("groq", "Cool down groq");
  await view.send("Cool down");
  await view.inState("groq", "rate-limited");

  assert.equal((await view.stage.ask()).provider, "cerebras");

  await view.press("groq", "End the cooldowns of groq");
  await view.inState("groq", "available");
});

test("a strategy is changed, and the story names it", async () => {
  const route = view.page.locator('[data-route="default"]');
  await route.getByRole("button", { name: "Change the strategy of default" }).click();
  await view.page.locator("dialog").getByLabel("round-robin").check();
  await view.send("Change");
  await route.locator(".strategy:not(.shadow) strong", { hasText: "round-robin" }).waitFor();

  const { id } = await view.stage.ask();
  await view.page.goto(`${view.stage.gateway}/#/requests/${id}`);
  await view.page.waitForSelector("#story .facts");

  assert.match(await view.page.textContent("#story .facts"), /Strategyround-robin/);
  await view.page.keyboard.press("Escape");
  await route.getByRole("button", { name: "Go back to smart on default" }).click();
  await route.locator(".strategy:not(.shadow) strong", { hasText: "smart" }).waitFor();
});

test("a strategy in the shadow shows where it differs, is promoted and gone back from", async () => {
  const route = view.page.locator('[data-route="default"]');
  for (let asked = 0; asked < 6; asked++) await view.stage.ask();
  await view.page.reload();
  await route.locator(".shadow", { hasText: /agrees in \d+ % of \d+ decisions/ }).waitFor();
  await route.getByRole("button", { name: "Where the shadow of default would have decided otherwise" }).click();
  await view.page.locator("dialog a").first().click();
  await view.page.waitForSelector("#story .facts");
  await view.page.keyboard.press("Escape");

  await route.getByRole("button", { name: "Promote the shadow of default" }).click();
  await route.locator(".strategy:not(.shadow) strong", { hasText: "round-robin" }).waitFor();
  assert.equal(await route.locator(".shadow").count(), 0);

  await route.getByRole("button", { name: "Go back to smart on default" }).click();
  await route.locator(".strategy:not(.shadow) strong", { hasText: "smart" }).waitFor();
});

test("a configuration that is wrong is refused with every problem, one that is right is taken", async () => {
  const file = join(view.stage.home, "backstop.toml");
  const good = await readFile(file, "utf8");
  await writeFile(file, `${good}\n[routes.other]\ntargets = ["grok"]\nstrategy = 7\n`);
  await view.page.getByRole("button", { name: "Configuration" }).click();
  await view.page.locator("dialog .config", { hasText: "[providers.groq]" }).waitFor();
  await view.send("Reload from file");
  await view.page.locator("dialog .problems li", { hasText: "grok" }).waitFor();
  view.page.complaints = view.page.complaints.filter((complaint) => !complaint.includes("422"));

  await writeFile(file, good);
  await view.send("Reload from file");

  await view.page.locator("dialog").waitFor({ state: "detached" });
});
