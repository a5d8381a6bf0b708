/** The other people and numbers of the telephone system, with their states. */

import { h, keyed, say as text } from "../page/dom.js";
import { say } from "./words.js";

const TONES = { 1: "good", 2: "warn", 3: "warn", 5: "bad", 6: "accent" };

export function stateWord(id) {
  const word = say(`state.${id}`);
  return word === `state.${id}` ? say("state.?") : word;
}

export function stateTone(id) {
  return TONES[id] ?? "";
}

/** Joins the two lists: people by their main number, and numbers that belong to nobody. */
export function join(numbers, users, me) {
  const byNumber = new Map(numbers.map((number) => [number.number, number]));
  const people = users
    .filter(({ id, main }) => main && id !== me)
    .map(({ id, name, main }) => {
      const number = byNumber.get(main);
      return { id, name, number: main, state: number?.state, group: number?.department ?? "" };
    });
  const owned = new Set(users.flatMap(({ main, nums }) => [main, ...(nums ?? [])]));
  const others = numbers
    .filter(({ number }) => !owned.has(number))
    .map(({ number, caption, state }) => ({ id: number, name: caption ?? "", number, state, group: say("numbers") }));
  const order = (a, b) => a.group.localeCompare(b.group) || a.name.localeCompare(b.name);
  return [...people.sort(order), ...others.sort(order)];
}

export function colleaguesCard(gateway) {
  let all = [];
  const list = h("ul", { class: "people" });
  const empty = h("p", { class: "empty" });
  const node = h("section", { class: "card colleagues" }, h("h2", {}, say("colleagues")), empty, list);

  function row() {
    const name = h("span", { class: "grow" });
    const number = h("span", { class: "quiet number small" });
    const state = h("span", { class: "dot small" });
    const update = (item) => {
      text(name, item.name || item.number);
      name.title = item.group;
      text(number, item.number);
      text(state, stateWord(item.state));
      state.className = `dot small ${stateTone(item.state)}`;
    };
    return { node: h("li", {}, h("div", { class: "row" }, name, number), state), update };
  }

  function draw() {
    keyed(list, all, (item) => item.id, row);
    empty.hidden = all.length > 0;
  }

  async function reload() {
    const [numbers, users] = await Promise.allSettled([
      gateway.call("getpbxnumbers", { mode: "full" }),
      gateway.call("getallusernumbers", { fillsubordinates: true }),
    ]);
    const told = [numbers, users].some(({ status }) => status === "fulfilled");
    all = join(numbers.value?.numbers ?? [], users.value?.users ?? [], gateway.userid);
    text(empty, say(told ? "noColleagues" : "notTold"));
    draw();
  }

  gateway.on("pbxnumberstatechanged", ({ numbers }) => {
    if (!Array.isArray(numbers)) return;
    const states = new Map(numbers.map(({ num, numstateid }) => [String(num), numstateid]));
    all = all.map((item) => (states.has(item.number) ? { ...item, state: states.get(item.number) } : item));
    draw();
  });
  gateway.on("statereset", reload);
  return { node, reload };
}
