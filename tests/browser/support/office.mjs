// An office: four agents and their supervisor at their desks, a queue, reasons for breaks, and callers outside.

import { gateway } from "../../peers/support/gateway.mjs";
import { until } from "../../peers/support/stories.mjs";
import { browserOf } from "./chromium.mjs";
import { direct } from "./tabs.mjs";
import { configuration, real, telephones } from "./telephones.mjs";

export const CALLER = "79001112233";

const OFFICE = `
[[user]]
login = "boss"
name = "Vera Orlova"
number = "110"
department = "Support"
role = "supervisor"
password = "Demo-boss"
subordinates = ["ivanov", "petrov", "sidorova", "kuznetsova"]

[[queue]]
number = "500"
name = "Support line"
users = ["ivanov", "petrov"]
strategy = "ring-all"

[[break]]
id = 1
name = "Lunch"

[[break]]
id = 2
name = "Call-back"
`;

/** A running gateway with the office; behind it the simulator, or real telephones. */
export async function office(ending, more = "") {
  const phones = real ? await telephones(ending) : null;
  const behind = phones ? configuration(phones.about) : "";
  const gate = await gateway(ending, (ports) => OFFICE + (typeof more === "function" ? more(ports) : more) + behind);
  if (phones) {
    gate.sim = phones.order;
    gate.incoming = (caller, called) => phones.order({ op: "incoming", caller, called });
  }
  return gate;
}

/** Opens the desks of these people, each in a browser of its own; gives them by login. */
export async function desks(ending, gate, ...logins) {
  const all = {};
  for (const login of logins) all[login] = await deskOf(await browserOf(ending), gate, login);
  return all;
}

/** One desk: the page of an agent, and what a person would do and see there. */
export async function deskOf(browser, gate, login) {
  const tab = await direct(browser, gate, login);
  return deskIn(tab, browser);
}

export function deskIn(tab, browser) {
  const phone = tab.locator(".phone");
  const button = (key) => tab.locator(`.phone [data-act=${key}]`);
  const desk = {
    tab,
    browser,
    phone,
    /** Waits until the phone's card says this, and perhaps whom it is about. */
    async says(words, who) {
      await phone.locator(".phase", { hasText: words }).waitFor();
      if (who) await phone.locator(".who", { hasText: who }).waitFor();
    },
    idle: () => desk.says("No call"),
    /** Presses a button of the phone's card. */
    press: (key) => button(key).click(),
    sees: (key) => button(key).waitFor(),
    /** The buttons that are offered now. */
    offered: async () => phone.locator(".actions > button:visible").evaluateAll((all) => all.map((b) => b.dataset.act)),
    async dial(number, way = "") {
      await tab.fill("#target", number);
      if (!way) return tab.keyboard.press("Enter");
      await tab.click(".dial .joined + .menued > button");
      await tab.getByRole("menuitem", { name: way }).click();
    },
    held: (who) => phone.locator(".held", { hasText: who }).waitFor(),
    /** The row of somebody in the list of people. */
    person: (number) => tab.locator(`.person[data-number="${number}"]`),
    /** Waits until the list shows somebody in a state. */
    shows: (number, state) => desk.person(number).locator(".state", { hasText: state }).waitFor(),
    async does(number, act, choice) {
      await desk.person(number).locator(`[data-act=${act}]`).click();
      if (choice) await desk.person(number).getByRole("menuitem", { name: choice }).click();
    },
    members: (names) =>
      until(async () => {
        const shown = await phone.locator(".members li .grow").allTextContents();
        return shown.sort().join() === [...names].sort().join() ? true : null; // those invited at once have no order
      }, `the members ${names}`),
    /** Chooses a state in the menu of the bar. */
    async chooses(words) {
      await tab.click("#my-state");
      await tab.locator(".presence .menu").getByText(words, { exact: true }).click();
    },
    state: (words) => tab.locator("#my-state .label", { hasText: words }).waitFor(),
    happened: (words) => tab.locator(".history", { hasText: words }).waitFor(),
  };
  return desk;
}
