// Tabs of one person through both doors: directly, and behind the tunnel of a CRM in Node.

import { nodeCrm } from "../../peers/support/crms.mjs";
import { acceptLink, gateway, passwordOf, RING_FORM } from "../../peers/support/gateway.mjs";
import { until } from "../../peers/support/stories.mjs";
import { browserOf } from "./chromium.mjs";

/** A gateway, and the CRM that is linked with it. */
export async function house(ending) {
  const gate = await gateway(ending, ({ port }) => acceptLink({ port }) + RING_FORM);
  const crm = await nodeCrm(ending, gate);
  await gate.linked("crm");
  return { gate, crm };
}

/** A tab connected to the gateway itself. */
export async function direct(browser, gate, login) {
  const tab = await browser.page(`${gate.origin}/?login=${login}`);
  const online = tab.waitForSelector(".bar .pill.good");
  if (await tab.locator("#password").count()) {
    await tab.fill("#password", passwordOf(login));
    await tab.keyboard.press("Enter");
  }
  await online;
  return tab;
}

/** A tab of the CRM, that the gateway sees behind the link. The CRM asks for the password once a browser. */
async function tunnelled(browser, crm, login) {
  const tab = await browser.page(`${crm.origin}/`);
  if (!browser.entered) {
    await tab.fill("[name=userlogin]", login);
    await tab.fill("[name=secret]", passwordOf(login));
    await tab.click("#login button");
    browser.entered = true;
  }
  await tab.waitForSelector(`text=Logged in as ${login}`);
  return tab;
}

/** An open form in either kind of tab. */
const CARD = { direct: "article.form:not(.ended)", tunnelled: "#forms form" };
export const shows = (tab, selector) => tab.waitForSelector(selector);
export const closes = (tab, selector) => tab.waitForSelector(selector, { state: "detached" });

/** Four tabs of ivanov, two a door, and one of petrov. */
export async function fourTabs(ending) {
  const { gate, crm } = await house(ending);
  const [first, second] = [await browserOf(ending), await browserOf(ending)];
  const ivanov = [
    { tab: await direct(first, gate, "ivanov"), card: CARD.direct },
    { tab: await direct(first, gate, "ivanov"), card: CARD.direct },
    { tab: await tunnelled(first, crm, "ivanov"), card: CARD.tunnelled },
    { tab: await tunnelled(first, crm, "ivanov"), card: CARD.tunnelled },
  ];
  const petrov = await direct(second, gate, "petrov");
  // Whatever the second agent is ever shown stays noted.
  await petrov.evaluate(() => {
    window.seen = 0;
    new MutationObserver(() => (window.seen += document.querySelectorAll(".form").length)).observe(document.body, {
      childList: true,
      subtree: true,
    });
  });
  await until(async () => {
    const users = (await gate.picture()).users;
    return users.find(({ login }) => login === "ivanov").tabs.length === 4;
  }, "four tabs of ivanov");
  return { gate, crm, ivanov, petrov, browser: first };
}
