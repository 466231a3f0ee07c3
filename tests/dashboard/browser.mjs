// Headless Chromium, and pages of it that keep account of what they load and of what goes wrong in them.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a profile of its own, which is gone after `close()`. `CHROMIUM` may say where it is. */
export class Browser {
  #profile;
  #context;

  static async start() {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), "backstop-chromium-"));
    browser.#context = await chromium.launchPersistentContext(browser.#profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: ARGUMENTS,
      colorScheme: "light",
      viewport: { width: 1440, height: 900 },
    });
    browser.#context.setDefaultTimeout(15_000);
    return browser;
  }

  /** A page at an address, with `complaints` (console and exceptions) and `foreign` (what it loaded from elsewhere). */
  async open(url) {
    const page = await this.#context.newPage();
    page.complaints = [];
    page.foreign = [];
    page.on(
      "console",
      (message) => ["error", "warning"].includes(message.type()) && page.complaints.push(message.text()),
    );
    page.on("pageerror", (error) => page.complaints.push(error.stack));
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) page.foreign.push(request.url());
    });
    await page.goto(url);
    return page;
  }

  async close() {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}
