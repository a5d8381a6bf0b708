/** What this agent says of itself: the menu of states in the bar, and where calls are redirected. */

import { dialog } from "../page/dialog.js";
import { h, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { menuOn } from "../page/menu.js";
import { reasonWord, stateTone, stateWord } from "./states.js";
import { targetField } from "./target.js";
import { say } from "./words.js";

/** The menu. `tell(text, tone)` writes down what happened. */
export function presenceMenu(gateway, tell) {
  const { presence, people } = gateway;
  let shown = "";
  const dot = h("span", { class: "dot" });
  const label = h("span", { class: "label" });
  const button = h("button", { type: "button", class: "state", id: "my-state" }, dot, label, icon("down"));
  const node = menuOn(button, items, { align: "end" });
  node.classList.add("presence");

  async function set(status, options) {
    try {
      await presence.set(status, options);
    } catch (error) {
      tell(say("did.fail", { what: say("myState"), why: reasonWord(error) }), "bad");
    }
  }

  function items() {
    const { status, reason, breaks, redirect } = presence;
    const one = (key, tone, options) => ({
      text: say(`status.${key}`),
      tone,
      checked: status === key,
      act: () => set(key, options),
    });
    const reasons = breaks.map(({ id, name }) => ({
      text: name,
      tone: "warn",
      checked: status === "break" && reason === id,
      act: () => set("break", { reason: id }),
    }));
    return [
      one("queues", "good"),
      one("manual", "good"),
      one("ready", "good"),
      one("busy", "bad"),
      one("dnd", "warn"),
      { title: say("status.break") },
      ...(reasons.length ? reasons : [one("break", "warn")]),
      { title: say("redirection") },
      redirect && {
        text: say("redirectOn", { number: redirect }),
        tone: "accent",
        checked: status === "redirect",
        act: () => set("redirect"),
      },
      { text: say(redirect ? "redirectChange" : "redirectSet"), act: askNumber },
    ];
  }

  function askNumber() {
    const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
    const field = targetField(gateway, "redirect", say("numberOrName"), () => form.requestSubmit());
    field.input.value = presence.redirect;
    const form = h(
      "form",
      { novalidate: true },
      h("p", { class: "quiet small" }, say("redirectHint")),
      field.node,
      trouble,
      h(
        "div",
        { class: "row" },
        h("button", { class: "main", type: "submit" }, say("redirectNow")),
        presence.redirect && h("button", { type: "button", onclick: () => save("") }, say("redirectDrop")),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const number = field.number();
      if (number === null) return complain(say(field.input.value.trim() ? "unknownTarget" : "noTarget"));
      save(number);
    });
    const box = dialog(say("redirection"), say("close"), form);
    field.input.select();

    async function save(number) {
      try {
        await presence.redirectTo(number);
        if (number) await presence.set("redirect");
        box.close();
      } catch (error) {
        complain(reasonWord(error));
      }
    }

    function complain(words) {
      text(trouble, words);
      trouble.hidden = false;
      field.input.focus();
    }
  }

  function draw() {
    const { state, status } = presence;
    const tone = status === "redirect" && state !== 5 ? "accent" : stateTone(state);
    const words =
      state === 5 && status !== "busy"
        ? `${stateWord(5)}${after(status)}`
        : state === 7 || state === 0
          ? stateWord(state)
          : word();
    dot.className = `dot ${tone}`;
    text(label, words);
    button.setAttribute("aria-label", `${say("myState")}: ${words}`);
    node.querySelector(".menu").setAttribute("aria-label", say("myState"));
    if (shown && shown !== words) tell(say("did.state", { state: words }), tone);
    shown = words;
  }

  /** What will hold after the call, when it is not simply ready. */
  function after(status) {
    return ["break", "dnd", "redirect"].includes(status) ? `, ${say("then", { status: word() })}` : "";
  }

  function word() {
    const { status, reason, note, breaks, redirect } = presence;
    if (status === "break") return note || breaks.find(({ id }) => id === reason)?.name || say("status.break");
    if (status === "redirect") return say("redirectOn", { number: redirect || "?" });
    return say(`status.${status}`);
  }

  presence.on("change", draw);
  people.on("change", draw);
  presence.on("trouble", (error) => tell(say("did.fail", { what: say("myState"), why: reasonWord(error) }), "bad"));
  draw();
  return { node, open: () => button.click() };
}
