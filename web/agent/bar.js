/** The bar on top: the connection, the own state, the own name, and the way out. */

import { dialog } from "../page/dialog.js";
import { h, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { change, other, otherName } from "../page/language.js";
import { menuOn } from "../page/menu.js";
import { reasonWord } from "./states.js";
import { say } from "./words.js";

/** `presence` is the menu of states; `help` shows the keys. */
export function topBar(gateway, presence, help) {
  const link = h("span", { class: "pill link", role: "status" });
  const name = h("span", { class: "me" }, gateway.login);
  const number = h("span", { class: "quiet number" });
  const who = h(
    "button",
    { type: "button", class: "plain account", "aria-label": say("account") },
    icon("user"),
    h("span", { class: "row nowrap" }, name, " ", number),
    icon("down"),
  );
  const menu = menuOn(
    who,
    () => [
      { text: say("keys"), hint: "?", act: help },
      { text: otherName, lang: other, act: change },
      { text: say("changePassword"), act: () => askPassword(gateway) },
      { text: say("logout"), act: () => gateway.logout() },
    ],
    { align: "end" },
  );
  const node = h(
    "header",
    { class: "bar" },
    h("h1", { class: "unseen" }, say("title")),
    h(
      "a",
      { class: "brand", href: "/", "aria-label": "ctigate" },
      h("img", { src: "/page/icon.svg", alt: "" }),
      h("span", {}, "ctigate"),
    ),
    link,
    h("span", { class: "grow" }),
    presence,
    menu,
  );
  let now = { state: gateway.state, retryAt: 0 };

  function tick() {
    const seconds = Math.max(0, Math.ceil((now.retryAt - Date.now()) / 1000));
    text(link, say(`link.${now.state}`, { seconds }));
    link.className = `pill link ${{ online: "good", waiting: "bad", closed: "bad" }[now.state] ?? "warn"}`;
  }

  gateway.on("state", (next) => {
    now = next;
    tick();
  });
  gateway.people.on("change", () => {
    text(name, gateway.people.me.name || gateway.login);
    text(number, gateway.people.me.number);
    who.setAttribute("aria-label", `${say("account")}: ${name.textContent} ${number.textContent}`);
  });
  tick();
  return { node, tick };
}

function askPassword(gateway) {
  const field = (id, complete) => h("input", { id, type: "password", autocomplete: complete, required: true });
  const [before, after] = [field("password-before", "current-password"), field("password-after", "new-password")];
  const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
  const form = h(
    "form",
    { novalidate: true },
    h("div", {}, h("label", { for: before.id }, say("passwordNow")), before),
    h("div", {}, h("label", { for: after.id }, say("passwordNew")), after),
    trouble,
    h("button", { class: "main", type: "submit" }, say("save")),
  );
  const box = dialog(say("changePassword"), say("close"), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      if (!before.value || !after.value) throw new Error(say("bothPasswords"));
      await gateway.changePassword(before.value, after.value);
      box.close();
    } catch (error) {
      text(trouble, error.message === "old password is wrong" ? say("wrongPassword") : reasonWord(error));
      trouble.hidden = false;
    }
  });
}
