/** The card that asks who you are. */

import { keptLogins } from "../client/ctigate.js";
import { h } from "../page/dom.js";
import { change, other, otherName } from "../page/language.js";
import { say } from "./words.js";

/** The words for a refused login. */
export function refusal(error) {
  const words = say(`refused.${error.code}`);
  return words === `refused.${error.code}` ? say("refused.other", { why: error.message }) : words;
}

/** `enter({login, password?})` logs in and throws when that fails. */
export function loginPage(enter, { login = "", error = null } = {}) {
  const name = h("input", {
    id: "login",
    name: "login",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    value: login,
    required: true,
  });
  const word = h("input", {
    id: "password",
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const button = h("button", { class: "main", type: "submit" }, say("enter"));
  const trouble = h("p", { class: "note bad", role: "alert", hidden: !error }, error ? refusal(error) : "");

  async function attempt(who) {
    button.disabled = true;
    button.textContent = say("entering");
    trouble.hidden = true;
    try {
      await enter(who);
    } catch (failure) {
      trouble.textContent = refusal(failure);
      trouble.hidden = false;
      button.disabled = false;
      button.textContent = say("enter");
      word.select();
      word.focus();
    }
  }

  const form = h(
    "form",
    {
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        const who = { login: name.value.trim(), password: word.value };
        if (who.login && who.password) return attempt(who);
        trouble.textContent = say("required");
        trouble.hidden = false;
        (who.login ? word : name).focus();
      },
    },
    h("div", {}, h("label", { for: "login" }, say("login")), name),
    h("div", {}, h("label", { for: "password" }, say("password")), word),
    trouble,
    button,
  );

  const kept = keptLogins().map((who) =>
    h("button", { type: "button", onclick: () => attempt({ login: who }) }, say("goOn", { login: who })),
  );
  const node = h(
    "main",
    { class: "enter" },
    h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "row" },
        h("img", { src: "/page/icon.svg", alt: "", width: "36", height: "36" }),
        h("div", { class: "grow" }, h("h1", {}, "ctigate"), h("p", { class: "quiet small" }, say("title"))),
        h("button", { class: "plain", type: "button", lang: other, onclick: change }, otherName),
      ),
      form,
      kept.length > 0 && h("div", { class: "kept" }, kept),
    ),
  );
  return { node, focus: () => (login ? word : name).focus() };
}
