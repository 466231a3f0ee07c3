// A gateway that wants a key, and one that goes away.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Browser } from "./browser.mjs";
import { Stage } from "./stage.mjs";

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser.close());

describe("a gateway with keys", () => {
  let stage, key;

  before(async () => {
    stage = await Stage.start("--provider", "groq", "--run", "keys create ops --admin");
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
    const stage = await Stage.start("--provider", "groq");
    const page = await browser.open(`${stage.gateway}/`);
    await page.waitForSelector('[data-link="live"] [data-provider="groq"]');

    await stage.end();

    await page.waitForSelector('[data-link="gone"] #banner:not([hidden])');
    assert.match(await page.textContent("#banner"), /does not answer.*Trying again in \d+ s/);
    assert.equal(await page.locator(".provider").count(), 1);
    await page.close();
  });
});
