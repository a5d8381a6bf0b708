// One person's tabs through both doors, with the real gateway.

import assert from "node:assert/strict";
import { gateway } from "../../peers/support/gateway.mjs";
import { nginxBefore } from "../../peers/support/nginx.mjs";
import { story } from "../../peers/support/stories.mjs";
import { browserOf } from "../support/chromium.mjs";
import { closes, direct, fourTabs, house, shows } from "../support/tabs.mjs";

const CALLER = "79001112233";

for (const [where, one] of [
  ["in a direct tab", 0],
  ["behind the tunnel", 2],
]) {
  story(`a form opens in four tabs, is answered ${where}, and is gone from the rest`, async (ending) => {
    const { gate, ivanov, petrov } = await fourTabs(ending);
    await gate.incoming(CALLER, "101");
    await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
    assert.match(await ivanov[0].tab.textContent(".form .facts"), /Anna Orlova/);
    assert.match(await ivanov[2].tab.textContent("#forms"), /Anna Orlova/);

    const { tab, card } = ivanov[one];
    await tab.fill(`${card} [name=resultcode]`, "sold");
    await tab.click(`${card} button`);
    await Promise.all(ivanov.map((other) => closes(other.tab, other.card)));
    const notice = await ivanov[1].tab.textContent(".form.ended .ending");
    assert.match(notice, /another tab|first by/);
    assert.equal(await petrov.evaluate(() => window.seen), 0);
    assert.deepEqual((await gate.picture()).forms, []);
  });
}

story("a tab that is reloaded is shown the form again, with what was typed", async (ending) => {
  const { gate, ivanov } = await fourTabs(ending);
  await gate.incoming(CALLER, "101");
  await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
  const [plain, , behind] = ivanov;
  await plain.tab.fill("[name=comment]", "will call back");
  await plain.tab.reload();
  await shows(plain.tab, plain.card);
  assert.equal(await plain.tab.inputValue("[name=comment]"), "will call back");
  await behind.tab.reload();
  await shows(behind.tab, behind.card);
  await plain.tab.click(".form button[type=submit]");
  await Promise.all(ivanov.map(({ tab, card }) => closes(tab, card)));
});

story("the gateway is killed and started again, and the form is shown again", async (ending) => {
  const { gate, ivanov } = await fourTabs(ending);
  await gate.incoming(CALLER, "101");
  await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
  await ivanov[0].tab.fill("[name=comment]", "half a word");
  await gate.kill();
  await Promise.all(ivanov.slice(0, 2).map(({ tab }) => tab.waitForSelector(".bar .pill:not(.good)")));
  await gate.start();
  await Promise.all(ivanov.slice(0, 2).map(({ tab }) => tab.waitForSelector(".bar .pill.good")));
  await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
  assert.equal(await ivanov[0].tab.inputValue("[name=comment]"), "half a word");
  await ivanov[1].tab.reload(); // nothing in this page remembers the form: it is the gateway that shows it
  await shows(ivanov[1].tab, ivanov[1].card);
  await ivanov[0].tab.click(".form button[type=submit]");
  await Promise.all(ivanov.map(({ tab, card }) => closes(tab, card)));
});

story("a form closes when the caller hangs up", async (ending) => {
  const { gate, ivanov } = await fourTabs(ending);
  await gate.incoming(CALLER, "101");
  await Promise.all(ivanov.map(({ tab, card }) => shows(tab, card)));
  await gate.sim({ op: "hangup", number: "101" });
  await Promise.all(ivanov.map(({ tab, card }) => closes(tab, card)));
  assert.match(await ivanov[0].tab.textContent(".form.ended .ending"), /no longer needed/);
});

story("the agent answers and hangs up from the page", async (ending) => {
  const gate = await gateway(ending);
  const browser = await browserOf(ending);
  const tab = await direct(browser, gate, "ivanov");
  await gate.incoming(CALLER, "101");
  await tab.waitForSelector(".phone >> text=Incoming call");
  assert.equal(await tab.textContent(".who"), CALLER);
  await tab.click("text=Answer");
  await tab.waitForSelector(".phone >> text=Talking");
  await tab.click("text=Hang up");
  await tab.waitForSelector(".phone >> text=No call");
  assert.deepEqual(browser.trouble(), []);
});

story("behind nginx with TLS a tab logs in, sees a call and answers a form", async (ending) => {
  const { gate } = await house(ending);
  const { origin } = await nginxBefore(ending, gate);
  const browser = await browserOf(ending);
  const tab = await direct(browser, { origin }, "ivanov");
  await gate.incoming(CALLER, "101");
  await tab.waitForSelector(".phone >> text=Incoming call");
  await tab.click(".form button[type=submit]");
  await tab.waitForSelector(".history >> text=You answered");
  assert.deepEqual((await gate.picture()).forms, []);
  assert.deepEqual(browser.trouble(), []);
});

story("a hint for a user reaches the user's page", async (ending) => {
  const { gate } = await house(ending);
  const tab = await direct(await browserOf(ending), gate, "ivanov");
  const { status, body } = await gate.api("methods/ShowHint", {
    input: { text: "Offer a discount" },
    userlogin: "ivanov",
  });
  assert.deepEqual([status, body.outcome], [200, "ok"]);
  await tab.waitForSelector(".hint >> text=Offer a discount");
});
