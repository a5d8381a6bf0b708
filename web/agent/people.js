/**
 * The other people and numbers, by department, with what can be done with each now. In the list Up and Down go from
 * person to person, Left and Right along what is offered.
 */

import { h, keyed, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { menuOn } from "../page/menu.js";
import { stateTone, stateWord } from "./states.js";
import { say } from "./words.js";

/** What can be done with somebody now, from their state and from what the own line allows. */
export function offers(one, { phone, conference, chats }) {
  const can = (action) => phone.line.actions.includes(action);
  const reachable = one.number && one.state !== 5 && one.state !== 7;
  const inside = conference.now?.members.some(({ number }) => number === one.number) ?? false;
  const talking = phone.line.phase === "talking";
  return [
    reachable && can("call") && (talking ? "consult" : "call"),
    reachable && talking && can("transfer") && "transfer",
    reachable && can("invite") && !inside && "invite",
    can("ghost") && one.subordinate && one.state === 5 && "listen",
    one.user && chats.available && "chat",
    one.user && "more",
  ].filter(Boolean);
}

const PICTURES = {
  call: "call",
  consult: "call",
  transfer: "transfer",
  invite: "invite",
  listen: "listen",
  chat: "chat",
  more: "more",
};

/** `desk` does things: `dial(number, options)`, `act(word, order)`, `chat(userid)`, `write(person)`, `past(number)`. */
export function peopleCard(gateway, desk) {
  const { people, phone, conference } = gateway;
  const search = h("input", {
    type: "search",
    id: "people-search",
    placeholder: say("searchPeople"),
    "aria-label": say("searchPeople"),
    autocomplete: "off",
    oninput: draw,
  });
  const groups = h("div", { class: "groups" });
  const empty = h("p", { class: "empty" });
  const node = h("section", { class: "card people-card", "aria-label": say("colleagues") }, search, empty, groups);

  function draw() {
    const wanted = people.search(search.value).filter(({ me, number, user }) => !me && (number || user));
    const byGroup = Map.groupBy(wanted, ({ department, user }) => department || say(user ? "noDepartment" : "numbers"));
    keyed(groups, [...byGroup], ([name]) => name, group);
    text(empty, people.all.length ? say("noneFound") : say("noColleagues"));
    empty.hidden = wanted.length > 0;
    rove();
  }

  function group([name]) {
    const count = h("span", { class: "quiet number" });
    const list = h("ul", { class: "people" });
    const update = ([, members]) => {
      text(count, String(members.length));
      keyed(list, members, ({ id }) => id, row);
    };
    return { node: h("section", { "aria-label": name }, h("h2", { class: "row" }, name, count), list), update };
  }

  function row(person) {
    let one = person;
    const picture = h("span", { class: "face", "aria-hidden": "true" });
    const name = h("div", { class: "name" });
    const about = h("div", { class: "small" });
    const acts = {
      call: () => desk.dial(one.number),
      consult: () => desk.dial(one.number),
      transfer: () => desk.act("transfer", () => phone.transfer(one.number)),
      invite: () => desk.act("invite", () => conference.invite(one.number)),
      chat: () => desk.chat(one.id),
    };
    const buttons = Object.fromEntries(
      Object.entries(PICTURES).map(([key, drawn]) => [
        key,
        h(
          "button",
          { class: "plain round", type: "button", "data-act": key, tabindex: "-1", onclick: acts[key] },
          icon(drawn),
        ),
      ]),
    );
    const nodes = Object.entries(buttons).map(([key, button]) => {
      if (key === "listen") return menuOn(button, () => modes(one), { align: "end" });
      if (key === "more") return menuOn(button, () => extras(one), { align: "end" });
      return button;
    });
    const offered = h("div", { class: "offers" }, nodes);
    const node = h(
      "li",
      { class: "person", "data-number": person.number },
      picture,
      h("div", { class: "grow" }, name, about),
      offered,
    );
    let face = null;

    function update(next) {
      one = next;
      text(name, one.name);
      name.title = one.name;
      const state = one.user ? stateWord(one.state) : "";
      text(about, [one.number, state].filter(Boolean).join(" · "));
      about.className = `small ${one.user ? "state " + stateTone(one.state) : "quiet"}`;
      node.dataset.state = one.state;
      if (face !== one.photo + one.name) {
        face = one.photo + one.name;
        picture.replaceChildren(one.photo ? h("img", { src: gateway.webOrigin + one.photo, alt: "" }) : initials(one));
      }
      picture.className = `face ${one.user ? stateTone(one.state) : "line"}`;
      const now = offers(one, gateway);
      for (const [key, button] of Object.entries(buttons)) {
        const label = say(`offer.${key}`, { who: one.name });
        const shown = now.includes(key);
        button.hidden = !shown;
        if (button.parentElement.className === "menued") button.parentElement.hidden = !shown;
        button.setAttribute("aria-label", label);
        button.title = label;
      }
    }
    return { node, update };
  }

  function modes(one) {
    return ["listen", "help", "join"].map((mode) => ({
      text: say(`mode.${mode}.do`),
      act: () => desk.act(`mode.${mode}`, () => conference.listen(one.id, mode)),
    }));
  }

  function extras(one) {
    const free = one.number && one.state === 1 && phone.can("intercom");
    return [
      free && { text: say("intercom"), act: () => desk.dial(one.number, { intercom: true }) },
      one.number &&
        phone.can("call") &&
        phone.line.phase === "idle" &&
        one.state !== 5 &&
        one.state !== 7 && {
          text: say("otherFirst"),
          act: () => desk.dial(one.number, { first: "other" }),
        },
      { text: say("writeText"), act: () => desk.write(one) },
      one.number && { text: say("pastWith"), act: () => desk.past(one.number) },
    ];
  }

  // One button of the list is in the tab order; the arrows go to the others.
  const rows = () => [...groups.querySelectorAll(".person")].map((person) => seen(person)).filter((row) => row.length);
  const seen = (person) =>
    [...person.querySelectorAll(".offers > button, .offers > .menued > button")].filter((b) => !b.hidden);

  function rove(to = null) {
    const all = rows().flat();
    const now =
      to ??
      all.find((button) => button === document.activeElement) ??
      all.find(({ tabIndex }) => tabIndex === 0) ??
      all[0];
    for (const button of all) button.tabIndex = button === now ? 0 : -1;
    to?.focus();
  }

  groups.addEventListener(
    "keydown",
    (event) => {
      const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
      const all = rows();
      const y = all.findIndex((row) => row.includes(document.activeElement));
      if (!step || y < 0) return;
      event.preventDefault();
      event.stopPropagation();
      const x = all[y].indexOf(document.activeElement);
      if (y + step[0] < 0) return search.focus();
      const row = all[Math.min(y + step[0], all.length - 1)];
      rove(row[Math.min(Math.max(x + step[1], 0), row.length - 1)]);
    },
    true,
  );
  groups.addEventListener(
    "focusin",
    ({ target }) =>
      target.closest(".offers") && target.tagName === "BUTTON" && !target.closest(".menu") && rove(target),
  );
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      rove(rows()[0]?.[0]);
    } else if (event.key === "Escape" && search.value) {
      search.value = "";
      draw();
    }
  });

  for (const part of [people, phone, conference, gateway.chats, gateway.presence]) part.on("change", draw);
  draw();
  return { node, focus: () => search.focus() };
}

function initials({ name, user, number }) {
  if (!user) return number.slice(0, 4);
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.at(-1)]
    .slice(0, words.length)
    .map((word) => [...word][0].toUpperCase())
    .join("");
}
