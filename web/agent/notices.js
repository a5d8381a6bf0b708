/** What this agent has to see at once: texts of people, notices, hints of scenarios, faxes. */

import { dialog } from "../page/dialog.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { reasonWord } from "./states.js";
import { say } from "./words.js";

const HINT_MS = 30_000;

/** `tell(text, tone)` writes down what happened. */
export function noticeBoard(gateway, tell) {
  const { messages, phone, journal } = gateway;
  const node = h("div", { class: "notices", role: "status" });

  function post(kind, caption, words, { ms = 0, reply, more } = {}) {
    const gone = () => note.remove();
    const note = h(
      "div",
      { class: `note ${kind}` },
      h(
        "div",
        { class: "row nowrap" },
        h("div", { class: "grow" }, caption && h("strong", { class: "caption" }, caption), h("span", {}, words)),
        h(
          "button",
          { class: "plain round", type: "button", "aria-label": say("dismiss"), title: say("dismiss"), onclick: gone },
          icon("close"),
        ),
      ),
      reply && answer(reply, gone),
      more,
    );
    node.append(note);
    if (ms) setTimeout(gone, ms);
  }

  /** A line to answer a text. */
  function answer(userid, done) {
    const input = h("input", {
      "aria-label": say("reply"),
      placeholder: say("reply"),
      maxlength: "4000",
      autocomplete: "off",
    });
    const form = h(
      "form",
      { class: "row nowrap reply" },
      input,
      h("button", { class: "square", type: "submit", "aria-label": say("send"), title: say("send") }, icon("send")),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await send(userid, input.value)) done();
    });
    return form;
  }

  async function send(userid, words) {
    if (!words.trim()) return false;
    try {
      await messages.send([userid], words.trim());
      return true;
    } catch (error) {
      tell(say("did.fail", { what: say("send"), why: reasonWord(error) }), "bad");
      return false;
    }
  }

  messages.on("text", ({ sender, name, text }) => {
    post("text", name, text, { reply: sender });
    tell(say("did.text", { who: name, text }), "accent");
  });
  messages.on("notice", ({ caption, text, timeout }) => {
    post("notice", caption, text, { ms: timeout });
    tell(say("did.hint", { text: [caption, text].filter(Boolean).join(": ") }), "accent");
  });

  phone.on("fax", ({ number, name, pages, recording }) => {
    const words = say("fax.from", { who: [name !== number && name, number].filter(Boolean).join(" ") || "—", pages });
    const open = h("button", { type: "button", onclick: () => show(recording) }, icon("list"), say("fax.open"));
    post("fax", say("fax"), words, { more: open });
    tell(words, "accent");
  });

  /** Opens a document beside the page. The address is good for some minutes only, so it is asked for when it is wanted. */
  async function show(recording) {
    try {
      const href = await journal.recording({ recording });
      h("a", { href, target: "_blank", rel: "noreferrer" }).click();
    } catch (error) {
      tell(say("did.fail", { what: say("fax.open"), why: reasonWord(error) }), "bad");
    }
  }

  return {
    node,
    /** A dynamic method that a scenario may call. */
    hint({ text: words }) {
      const shown = String(words ?? "");
      post("hint", "", shown, { ms: HINT_MS });
      tell(say("did.hint", { text: shown }), "accent");
      return {};
    },
    /** Asks for a text to a person, and sends it. */
    write(person) {
      const area = h("textarea", { id: "text-to", maxlength: "4000", "aria-label": say("writeHere") });
      const form = h(
        "form",
        { novalidate: true },
        area,
        h("button", { class: "main", type: "submit" }, icon("send"), say("send")),
      );
      const box = dialog(say("textTo", { who: person.name }), say("close"), form);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        if (await send(person.id, area.value)) box.close();
      });
      area.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        form.requestSubmit();
      });
    },
  };
}
