// The door of the console: passwords, tokens, codes, and the keyboard behind it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { story, until } from "../../peers/support/stories.mjs";
import { ADMIN, consoleOf, managed } from "../support/console.mjs";

/** The six digits of this moment: RFC 6238 with its usual measures. */
function codeOf(secret, shift = 0) {
  const bits = [...secret.replace(/[\s=]/g, "")]
    .map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + shift));
  const hash = createHmac("sha1", key).update(step).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

story("console: a wrong password is told, the right one enters, signing out leaves", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate, { by: null });
  const { tab } = desk;
  await desk.accessible("the door");
  await tab.keyboard.press("Enter"); // the cursor waits in the first field
  await desk.sees("Enter login and password.", ".enter");
  await desk.signIn({ login: ADMIN.login, password: "wrong" });
  await desk.sees("The login or the password is wrong.", ".enter");
  await desk.signIn({ login: "ivanov", password: "Demo-ivanov" });
  await desk.sees("may not administer", ".enter");
  await desk.signIn();
  await desk.title("Overview");
  const [cookie] = await desk.browser.context.cookies();
  assert.equal(cookie.name, "ctigate_console");
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  await tab.reload();
  await desk.title("Overview");
  await desk.tab.locator(".account").click();
  await tab.getByRole("menuitem", { name: "Sign out" }).click();
  await tab.waitForSelector("[name=login]");
  assert.equal(
    (await fetch(`${gate.console}/api/v1/me`, { headers: { cookie: `ctigate_console=${cookie.value}` } })).status,
    401,
  );
  await desk.clean([/40[13]/]);
});

story("console: the admin token enters as well, and only this tab keeps it", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate, { by: null });
  await desk.tab.locator(".enter .ways button").click();
  await desk.tab.fill("[name=token]", "0000000000000000");
  await desk.tab.keyboard.press("Enter");
  await desk.sees("The token is wrong.", ".enter");
  await desk.tab.fill("[name=token]", await gate.token());
  await desk.tab.keyboard.press("Enter");
  await desk.title("Overview");
  const other = await desk.browser.page(`${gate.console}/`);
  await other.waitForSelector("[name=login]");
  await desk.clean([/401/]);
});

story("console: a password given by somebody else must be changed first", async (ending) => {
  const gate = await managed(ending);
  const who = { login: "boss", password: "Given-1234" };
  const made = await gate.ask("POST", "users", { ...who, name: "Boss", role: "admin", must_change_password: true });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const desk = await consoleOf(ending, gate, { by: null });
  await desk.signIn(who);
  await desk.sees("Choose a new password", ".enter");
  const fill = async (old, fresh, again) => {
    await desk.tab.fill("[name=old]", old);
    await desk.tab.fill("[name=new]", fresh);
    await desk.tab.fill("[name=again]", again);
    await desk.tab.keyboard.press("Enter");
  };
  await fill(who.password, "Chosen-1234", "Chosen-123");
  await desk.sees("The two differ.", ".enter");
  await fill("Wrong-1234", "Chosen-1234", "Chosen-1234");
  await desk.sees("The present password is wrong.", ".enter");
  await fill(who.password, "Chosen-1234", "Chosen-1234");
  await desk.title("Overview");
  await desk.clean([/40[0-9]/]);
});

story("console: a second factor is added with a QR code, asked for, and taken away", async (ending) => {
  const gate = await managed(ending);
  const who = { login: "boss", password: "Chosen-1234" };
  assert.equal(
    (await gate.ask("POST", "users", { ...who, name: "Boss", role: "admin", must_change_password: false })).status,
    201,
  );
  const desk = await consoleOf(ending, gate, { by: null });
  await desk.signIn(who);
  await desk.title("Overview");
  await desk.go("me");
  await desk.button("Add").click();
  const secret = (await desk.tab.locator("[data-secret]").textContent()).replaceAll(" ", "");
  assert.ok((await desk.tab.locator(".qr path").getAttribute("d")).length > 1000, "the QR code is drawn");
  await desk.picture("second-factor");
  await desk.tab.fill("dialog [name=code]", "000000");
  await desk.tab.keyboard.press("Enter");
  await desk.sees("The code is wrong", "dialog");
  await desk.tab.fill("dialog [name=code]", codeOf(secret));
  await desk.tab.keyboard.press("Enter");
  await desk.told("The second factor is on.");
  await desk.tab.locator(".account").click();
  await desk.tab.getByRole("menuitem", { name: "Sign out" }).click();

  await desk.signIn(who);
  await desk.tab.waitForSelector("[name=code]");
  await desk.tab.fill("[name=code]", codeOf(secret, 1)); // the step before is used up
  await desk.tab.keyboard.press("Enter");
  await desk.tab.waitForSelector(".top");
  await desk.clean([/40[0-9]/]);
});

story("console: everything can be reached by keys", async (ending) => {
  const gate = await managed(ending);
  const desk = await consoleOf(ending, gate);
  const { tab } = desk;
  const press = async (...keys) => {
    for (const key of keys) await tab.keyboard.press(key);
  };
  for (const [key, title] of [
    ["l", "Links"],
    ["p", "People"],
    ["c", "Live calls"],
    ["j", "Journal"],
    ["f", "Open forms"],
    ["d", "Doctor"],
    ["i", "Inspector"],
    ["x", "Explain"],
    ["k", "Keys"],
    ["s", "Settings"],
    ["a", "Audit"],
    ["g", "Logs"],
    ["m", "About me"],
    ["o", "Overview"],
  ]) {
    await press("g", key);
    await desk.title(title);
  }
  await press("g", "p");
  await desk.row("ivanov").waitFor();
  await press("/");
  await tab.keyboard.type("petrov");
  await until(async () => (await tab.locator(".content tbody tr").count()) === 1, "one row");
  await press("Escape", "Escape");
  await until(async () => (await tab.locator(".content tbody tr").count()) > 1, "all rows");
  await press("j");
  assert.equal(
    await tab.evaluate(() => document.activeElement.closest("tr") === document.querySelector("tbody tr")),
    true,
  );
  const shut = async () => {
    await press("Escape");
    await tab.waitForSelector("dialog", { state: "detached" });
  };
  await press("Enter");
  await tab.waitForSelector("dialog[open]");
  await shut();
  await until(() => tab.evaluate(() => Boolean(document.activeElement.closest("tr"))), "the focus is back in the row");
  await press("?");
  await desk.sees("to the search of the page", "dialog");
  await shut();
  await press("n");
  await desk.sees("Add a person", "dialog");
  await shut();
  await press("Control+k");
  await tab.waitForSelector("dialog[open]");
  await tab.keyboard.type("doct");
  await press("Enter");
  await desk.title("Doctor");
  // The way by Tab: the first stop skips the navigation, and the focus can be seen.
  await tab.reload();
  await desk.title("Doctor");
  await press("Tab");
  const first = await tab.evaluate(() => [
    document.activeElement.className,
    document.activeElement.getBoundingClientRect().top >= 0,
  ]);
  assert.deepEqual(first, ["skip", true]);
  await press("Enter");
  assert.equal(await tab.evaluate(() => document.activeElement.id), "content");
  await press("Tab");
  assert.notEqual(await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  await desk.clean();
});
