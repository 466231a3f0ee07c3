// The page on a phone, in the dark, and to those who do not see it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

import { View } from "./view.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const view = View.ofStage();

test("dark follows the system, and the choice of the operator goes before it and stays", async () => {
  const isDark = () =>
    view.page.evaluate(() => {
      const [red, green, blue] = getComputedStyle(document.body)
        .backgroundColor.match(/[\d.]+/g)
        .map(Number);
      return red + green + blue < 150;
    });
  assert.equal(await isDark(), false);

  await view.page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await isDark(), true);
  await view.page.getByRole("button", { name: "Use the light theme" }).click();
  assert.equal(await isDark(), false);
  await view.page.reload();

  assert.equal(await isDark(), false);
  await view.page.evaluate(() => localStorage.clear());
});

test("a phone shows all of it without scrolling sideways", async () => {
  await view.stage.direct("groq", `500:${"a_message_without_any_space_".repeat(20)}`);
  const { id } = await view.stage.ask();
  await view.page.setViewportSize({ width: 390, height: 844 });
  const widths = () =>
    view.page.evaluate(() =>
      [document.documentElement, document.getElementById("story")].map(
        (element) => element.scrollWidth - element.clientWidth,
      ),
    );

  assert.deepEqual(await widths(), [0, 0]);
  await view.page.goto(`${view.stage.gateway}/#/requests/${id}`);
  await view.page.waitForSelector("#story .step");
  assert.deepEqual(await widths(), [0, 0]);
});

test("axe finds nothing to complain about, in either theme, with a story or a dialog open", async () => {
  await view.stage.direct("groq", "500");
  await view.stage.direct("cerebras", "429:30");
  const { id } = await view.stage.ask();
  await view.inState("cerebras", "rate-limited");
  const violations = async () => {
    const { passes, violations } = await view.page.evaluate(
      `${axe}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] })`,
    );
    assert.ok(passes.some(({ id }) => id === "color-contrast"));
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`,
    );
  };
  await view.page.emulateMedia({ reducedMotion: "reduce" });

  for (const colorScheme of ["light", "dark"]) {
    await view.page.emulateMedia({ colorScheme });
    assert.deepEqual(await violations(), [], `${colorScheme}, the page`);
    await view.page.goto(`${view.stage.gateway}/#/requests/${id}`);
    await view.page.waitForSelector("#story .step");
    assert.deepEqual(await violations(), [], `${colorScheme}, a story`);
    await view.page.keyboard.press("Escape");
    await view.press("groq", "Force groq");
    assert.deepEqual(await violations(), [], `${colorScheme}, a dialog`);
    await view.page.keyboard.press("Escape");
  }
});
