// Real Chromium, headless, that asks nobody but the pages' own server.

import { chromium } from "playwright-core";

const PATH = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let started = null;

/**
 * A browser of its own cookies and storage. `page(address)` opens a tab and takes down what must not happen in any:
 * `trouble()` lists errors, broken policies, and requests to elsewhere.
 */
export async function browserOf(ending, { locale = "en-GB", ...more } = {}) {
  started ??= chromium.launch({ executablePath: PATH, args: FLAGS });
  const context = await (await started).newContext({ locale, ignoreHTTPSErrors: true, ...more });
  context.setDefaultTimeout(20_000);
  ending(() => context.close());
  const troubles = [];
  async function page(address) {
    const tab = await context.newPage();
    tab.on("pageerror", (error) => troubles.push(`error: ${error.stack ?? error}`));
    tab.on("console", (message) => {
      const text = message.text();
      if (/Content.Security.Policy|Refused to/i.test(text)) troubles.push(text);
    });
    tab.on("request", (request) => {
      const host = new URL(request.url()).hostname;
      if (host !== "127.0.0.1" && host !== "localhost") troubles.push(`a request to ${request.url()}`);
    });
    await tab.goto(address);
    return tab;
  }
  return { context, page, trouble: () => troubles };
}

export async function closeChromium() {
  if (started) await (await started).close();
}
