/** The list of what happened in this tab, newest first. */

import { h } from "../page/dom.js";
import { clock } from "../page/language.js";
import { say } from "./words.js";

const KEPT = 200;

export function historyCard() {
  const list = h("ol", { class: "history", tabindex: "0", "aria-label": say("history") });
  const empty = h("p", { class: "empty" }, say("nothing"));
  const node = h("section", { class: "card" }, h("h2", {}, say("history")), empty, list);

  function tell(text, tone = "") {
    empty.hidden = true;
    const now = new Date();
    list.prepend(
      h(
        "li",
        {},
        h("time", { class: "quiet small number", datetime: now.toISOString() }, clock(now)),
        h("span", { class: `dot ${tone}` }),
        h("span", {}, text),
      ),
    );
    while (list.childElementCount > KEPT) list.lastElementChild.remove();
  }

  return { node, tell };
}
