// Every page: both languages, both themes, wide and narrow; labels and contrast; nothing that a peer sent is markup.

import assert from "node:assert/strict";
import { nodeCrm } from "../../peers/support/crms.mjs";
import { acceptLink, RING_FORM } from "../../peers/support/gateway.mjs";
import { story, until } from "../../peers/support/stories.mjs";
import { consoleOf, managed, PAGES, PROBE } from "../support/console.mjs";

/** A gateway with something on every page, and a probe wherever a peer or a person gives a name. */
async function lively(ending) {
  const probe = JSON.stringify(PROBE);
  const gate = await managed(
    ending,
    ({ port }) => `${acceptLink({ port })}${RING_FORM}
[[user]]
login = "probe"
name = ${probe}
department = ${probe}
number = "109"
password = "Demo-probe"
`,
  );
  await nodeCrm(ending, gate);
  await gate.linked("crm");
  assert.equal(
    (await gate.ask("POST", "keys", { client_id: "erp", kind: "service", rights: ["call", "journal"] })).status,
    201,
  );
  assert.equal(
    (
      await gate.ask("POST", "users", {
        login: "new",
        name: PROBE,
        department: PROBE,
        password: "Some-1234",
        role: "agent",
      })
    ).status,
    201,
  );
  const ring = async (caller, called) => {
    await gate.sim({ op: "incoming", caller, called, name: PROBE });
    await until(
      async () => (await gate.picture()).calls.some((call) => call.caller === caller || call.number === called),
      `the call of ${caller}`,
    );
  };
  await ring("79001112233", "101");
  await gate.sim({ op: "answer", number: "101" });
  await until(async () => (await gate.picture()).forms.length, "a form");
  await ring("79001112234", "102");
  await gate.sim({ op: "hangup", number: "79001112234" });
  await until(async () => (await gate.ask("GET", "journal")).body.items?.length, "an entry of the journal");
  return gate;
}

story(
  "console: every page in both languages and themes, wide and narrow",
  async (ending) => {
    const gate = await lively(ending);
    const [{ chain }] = (await gate.ask("GET", "journal")).body.items;
    const pages = [...PAGES, "links/crm", `journal/${chain}`, `explain/call/${chain}`, "explain/user/ivanov"];
    const names = { [`journal/${chain}`]: "journal-entry", [`explain/call/${chain}`]: "explain-call" };
    for (const [locale, colorScheme, width] of [
      ["en-GB", "light", 1280],
      ["ru-RU", "dark", 1280],
      ["ru-RU", "light", 360],
      ["en-GB", "dark", 2200],
    ]) {
      const desk = await consoleOf(ending, gate, { locale, colorScheme, viewport: { width, height: 800 } });
      const lang = locale.slice(0, 2);
      assert.equal(await desk.tab.evaluate(() => document.documentElement.lang), lang);
      const ground = await desk.tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(Number(/\d+/.exec(ground)[0]) < 60, colorScheme === "dark", `the ground is ${ground}`);
      for (const page of pages) {
        await desk.go(page);
        await desk.settled();
        const name = names[page] ?? page.replaceAll("/", "-");
        const failed = desk.tab.locator(".nothing.failed");
        assert.equal(await failed.count(), 0, `${page}: ${(await failed.allTextContents()).join()}`);
        await desk.picture(`${name}-${lang}-${colorScheme}-${width}`);
        await desk.fits(`${page} at ${width}`);
        await desk.accessible(`${page}, ${colorScheme}`);
        if (lang === "ru") {
          const said = await desk.tab.evaluate(() => document.querySelector(".content").textContent);
          assert.ok(/[а-яё]/i.test(said), `${page} says nothing in Russian`);
        }
      }
      await desk.clean();
      await desk.browser.context.close();
    }
  },
  { ms: 400_000 },
);

story("console: language and theme are switched at once, and remembered", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate, { locale: "de-DE", colorScheme: "light" });
  const dark = () =>
    desk.tab.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)[0]) < 60);
  await desk.title("Overview"); // neither of the two is the browser's: English
  await desk.tab.evaluate(() => (window.same = true));
  await desk.button("Русский").click();
  await desk.title("Обзор");
  const theme = desk.tab.locator("[aria-label^='Тема:']");
  await theme.click();
  await theme.click();
  assert.equal(await dark(), true);
  assert.equal(await desk.tab.evaluate(() => window.same), true, "the page was not loaded again");
  await desk.tab.reload();
  await desk.title("Обзор");
  assert.equal(await dark(), true);
  await desk.button("English").click();
  await desk.title("Overview");
  await desk.clean();
});
