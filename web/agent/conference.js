/** The members of the conference on the phone's card, listening in, and the question whom a new conference is for. */

import { dialog } from "../page/dialog.js";
import { h, keyed, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { stateTone, stateWord } from "./states.js";
import { targetField } from "./target.js";
import { say } from "./words.js";

const MODES = ["listen", "help", "join"];

/** The part of the card. `act(word, order)` does something and shows a refusal. */
export function conferencePart(gateway, act) {
  const { conference } = gateway;
  const list = h("ul", { class: "members", "aria-label": say("members") });
  const modes = MODES.map((mode) =>
    h(
      "button",
      {
        type: "button",
        "data-mode": mode,
        title: say(`mode.${mode}.hint`),
        onclick: () => act(`mode.${mode}`, () => conference.setMode(mode)),
      },
      say(`mode.${mode}`),
    ),
  );
  const choice = h("div", { class: "segments", role: "group", "aria-label": say("listening") }, modes);
  const hint = h("p", { class: "quiet small" });
  const node = h("div", { class: "conference", hidden: true }, list, choice, hint);

  function member({ id }) {
    const name = h("span", { class: "grow" });
    const state = h("span", { class: "quiet small" });
    const out = h(
      "button",
      { class: "plain round", type: "button", onclick: () => act("throwOut", () => conference.throwOut(id)) },
      icon("out"),
    );
    const update = (one) => {
      text(name, one.me ? say("me") : one.name || one.number || say("unknownNumber"));
      name.title = one.number;
      const words = [
        one.creator && say("creator"),
        one.target && say("target"),
        one.state === "Inviting" && say("inviting"),
      ];
      text(state, words.filter(Boolean).join(", "));
      const label = say("throwOutWho", { who: one.name || one.number });
      out.setAttribute("aria-label", label);
      out.title = label;
      out.hidden = one.me || !mayThrowOut();
    };
    return { node: h("li", { class: "row", "data-member": id }, icon("user"), name, state, out), update };
  }

  const mayThrowOut = () =>
    !conference.now.listening && conference.now.members.some(({ me, creator }) => me && creator);

  function draw() {
    const { now } = conference;
    node.hidden = !now;
    if (!now) return keyed(list, [], ({ id }) => id, member);
    keyed(list, now.members, ({ id }) => id, member);
    choice.hidden = !now.listening;
    hint.hidden = !now.listening;
    text(hint, now.listening ? say(`mode.${now.mode}.hint`) : "");
    for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === now.mode));
  }

  conference.on("change", draw);
  return { node };
}

/** Asks who takes part, and makes the conference. */
export function newConference(gateway, act) {
  const chosen = new Map(); // number → name
  const list = h("ul", { class: "chosen" });
  const field = targetField(gateway, "member", say("numberOrName"), add);
  const make = h(
    "button",
    { class: "main", type: "button", disabled: true, onclick: call },
    icon("people"),
    say("callAll"),
  );
  const form = h(
    "form",
    { novalidate: true },
    h("p", { class: "quiet small" }, say("conferenceHint")),
    h(
      "div",
      { class: "row nowrap" },
      field.node,
      h("button", { type: "submit", class: "square", "aria-label": say("add"), title: say("add") }, icon("add")),
    ),
    list,
    make,
  );
  const box = dialog(say("newConference"), say("close"), form);

  function add(number) {
    if (number === null) return field.input.focus();
    chosen.set(number, gateway.people.byNumber(number)?.name ?? number);
    field.clear();
    field.input.focus();
    draw();
  }

  function draw() {
    keyed(
      list,
      [...chosen],
      ([number]) => number,
      ([number, name]) => {
        const state = gateway.people.byNumber(number)?.state;
        const drop = () => {
          chosen.delete(number);
          draw();
          field.input.focus();
        };
        return {
          node: h(
            "li",
            { class: "row" },
            h("span", { class: `dot ${stateTone(state)}`, title: state === undefined ? "" : stateWord(state) }),
            h("span", { class: "grow" }, name),
            h("span", { class: "quiet number" }, name === number ? "" : number),
            h(
              "button",
              { class: "plain round", type: "button", "aria-label": say("remove", { who: name }), onclick: drop },
              icon("close"),
            ),
          ),
        };
      },
    );
    make.disabled = chosen.size === 0;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.input.value.trim() || !chosen.size) add(field.number());
    else call();
  });

  function call() {
    box.close();
    act("newConference", () => gateway.conference.create([...chosen.keys()]));
  }
}
