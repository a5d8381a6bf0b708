// The administrator's console, opened for a story: signed in, watched for errors, requests to elsewhere and bad manners.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gateway, REPOSITORY } from "../../peers/support/gateway.mjs";
import { until } from "../../peers/support/stories.mjs";
import { browserOf } from "./chromium.mjs";

export const PICTURES = join(REPOSITORY, "target/console");
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];

/** The field of a form with a label that holds one of these words. */
export const fieldOf = (tab, words) => tab.locator(`.field:has(label:text-matches('${words}', 'i')) input`).first();

/** Fills in how the CRM in Python is dialed: its address, and the Basic that it demands. */
export async function dialPython(tab, port) {
  await fieldOf(tab, "address|url").fill(`ws://127.0.0.1:${port}/`);
  await tab.getByLabel("Authorization").selectOption("basic");
  await fieldOf(tab, "^login").fill("crm");
  await fieldOf(tab, "^password").fill("secret");
}

/** What a peer might send in place of a name. Whoever shows it as anything but text sets `window.pierced`. */
export const PROBE = `<img src=x onerror="window.pierced=1"><script>window.pierced=1</script>'"&{{7*7}}`;

/** Somebody who may use the console, in the configuration file. */
export const ADMIN = { login: "vera", password: "Demo-vera-1" };
const CHIEF = `
[[user]]
login = "${ADMIN.login}"
name = "Vera Orlova"
number = "110"
role = "admin"
api_call_enabled = true
password = "${ADMIN.password}"
`;

/** A gateway with an administrator; `more` as for any gateway. */
export async function managed(ending, more = "") {
  const gate = await gateway(ending, (ports) => CHIEF + (typeof more === "function" ? more(ports) : more));
  gate.console = `http://127.0.0.1:${gate.port("admin")}`;
  gate.token = async () => (await readFile(join(gate.folder, "data/admin.token"), "utf8")).trim();
  /** Asks with any method; gives status and body. */
  gate.ask = async (method, path, body, headers = {}) => {
    const response = await fetch(`${gate.console}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${await gate.token()}`, "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  };
  return gate;
}

/** A tab with the console of this gateway; `by` is `token`, `password`, or nothing for somebody who has not signed in. */
export async function consoleOf(ending, gate, { by = "password", at = "", ...options } = {}) {
  const browser = await browserOf(ending, { viewport: { width: 1280, height: 800 }, ...options });
  const tab = await browser.page(`${gate.console}/${at}`);
  const errors = [];
  tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const me = {
    tab,
    browser,
    errors,
    button: (name, exact = true) => tab.getByRole("button", { name, exact }),
    /** Goes to a page by its address, as a bookmark would. */
    async go(page) {
      await tab.evaluate((address) => (location.hash = address), `/${page}`);
      await tab.waitForFunction((address) => location.hash === `#/${address}`, page);
    },
    title: (words) => tab.locator(".top h1", { hasText: words }).waitFor(),
    sees: (words, within = ".content") => tab.locator(within, { hasText: words }).first().waitFor(),
    told: (words) => tab.locator(".said .one", { hasText: words }).first().waitFor(),
    row: (words) =>
      tab.locator(".content tbody tr, .content ul.rows > li, .content ol.rows > li").filter({ hasText: words }).first(),
    /** Chooses from the menu at a row's end. */
    async choose(words, item) {
      await me.row(words).locator("[aria-haspopup=menu]").click();
      await tab.getByRole("menuitem", { name: item, exact: true }).click();
    },
    async signIn(who = ADMIN) {
      await tab.fill("[name=login]", who.login);
      await tab.fill("[name=password]", who.password);
      await tab.keyboard.press("Enter");
    },
    async signInByToken() {
      await tab.locator(".enter .ways button").click();
      await tab.fill("[name=token]", await gate.token());
      await tab.keyboard.press("Enter");
    },
    /** Nothing bad has happened in this tab. */
    async clean(expected = []) {
      assert.deepEqual(browser.trouble(), []);
      assert.equal(await tab.evaluate(() => window.pierced), undefined, "what a peer sent ran as a script");
      const unexpected = errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
      assert.deepEqual(unexpected, [], "errors on the browser's console");
    },
    /** The page is no wider than the window. */
    async fits(what) {
      const over = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${what} is ${over} px wider than the window`);
    },
    /** Labels, roles, contrast: what axe finds. */
    async accessible(what) {
      if (!(await tab.evaluate(() => Boolean(window.axe)))) await tab.evaluate(AXE);
      const found = await tab.evaluate((rules) => window.axe.run(document, { runOnly: rules }), RULES);
      const told = found.violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)} (${nodes[0].any[0]?.message ?? ""})`,
      );
      assert.deepEqual(told, [], `${what} is not accessible`);
    },
    /** Leaves a picture of the whole page. */
    async picture(name) {
      await mkdir(PICTURES, { recursive: true });
      await tab.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
    },
    /** Waits until no part of the page is still loading. */
    settled: () => until(() => tab.evaluate(() => !document.querySelector(".loading")), "the page to be loaded"),
  };
  if (by === "token") await me.signInByToken();
  if (by === "password") await me.signIn();
  if (by) {
    await tab.waitForSelector(".top");
    errors.length = 0; // nobody was signed in at first, which the browser tells as an error
  }
  return me;
}

/** Every page, by its address. */
export const PAGES = [
  "overview",
  "calls",
  "forms",
  "journal",
  "links",
  "links/new",
  "people",
  "people/roles",
  "keys",
  "settings",
  "doctor",
  "inspector",
  "explain",
  "logs",
  "audit",
  "me",
];
