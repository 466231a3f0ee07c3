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
  await route.locator(".strategy strong", { hasText: "round-robin" }).waitFor();

  const { id } = await view.stage.ask();
  await view.page.goto(`${view.stage.gateway}/#/requests/${id}`);
  await view.page.waitForSelector("#story .facts");

  assert.match(await view.page.textContent("#story .facts"), /Strategyround-robin/);
  await view.page.keyboard.press("Escape");
  await route.getByRole("button", { name: "Change the strategy of default" }).click();
  await view.page.locator("dialog").getByLabel("smart").check();
  await view.send("Change");
  await route.locator(".strategy strong", { hasText: "smart" }).waitFor();
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
