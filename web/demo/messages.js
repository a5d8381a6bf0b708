/** The last messages, live: an event source of one JSON object a message. */

import { h } from "../page/dom.js";
import { clock } from "../page/language.js";
import { say } from "./words.js";

const SHOWN = 200;
const HELD = 1000;
const BATCH_MS = 100;

/** `heard()` is called when anything has passed. */
export function messagesCard(url, heard) {
  let held = []; // oldest first
  let fresh = [];
  let paused = false;
  const list = h("ol", { class: "messages" });
  const empty = h("p", { class: "empty" }, say("noMessages"));
  const more = h("p", { class: "quiet small", hidden: true });
  const filter = h("input", {
    type: "search",
    placeholder: say("filter"),
    "aria-label": say("filter"),
    oninput: redraw,
  });
  const pings = h("input", { type: "checkbox", id: "pings", checked: true, onchange: redraw });
  const stop = h("button", { class: "little", type: "button", onclick: pause }, say("pause"));
  const wipe = h("button", { class: "little", type: "button", onclick: clear }, say("clear"));
  const node = h(
    "section",
    { class: "card wide" },
    h(
      "div",
      { class: "row head" },
      h("h2", {}, say("messages")),
      h("span", { class: "grow" }),
      h("label", { class: "check small", for: "pings" }, pings, say("pings")),
      filter,
      stop,
      wipe,
    ),
    empty,
    list,
    more,
  );

  const source = new EventSource(url);
  source.addEventListener("message", ({ data }) => {
    try {
      fresh.push(JSON.parse(data));
    } catch {
      return;
    }
    if (fresh.length === 1) setTimeout(take, BATCH_MS);
  });

  function take() {
    const batch = fresh;
    fresh = [];
    held = [...held, ...batch].slice(-HELD);
    heard();
    if (!paused) add(batch.filter(wanted));
  }

  function wanted(message) {
    if (pings.checked && (message.method === "ping" || message.method === "pong")) return false;
    const words = filter.value.trim().toLowerCase();
    if (!words) return true;
    const { method, user, link, peer, text } = message;
    return [method, user, link, peer, text].join(" ").toLowerCase().includes(words);
  }

  function add(batch) {
    list.prepend(...batch.slice(-SHOWN).reverse().map(line));
    while (list.childElementCount > SHOWN) list.lastElementChild.remove();
    empty.hidden = list.childElementCount > 0;
  }

  function redraw() {
    const matching = held.filter(wanted);
    list.replaceChildren(...matching.slice(-SHOWN).reverse().map(line));
    empty.hidden = matching.length > 0;
    more.hidden = matching.length <= SHOWN;
    more.textContent = say("dropped", { n: matching.length - SHOWN });
  }

  function pause() {
    paused = !paused;
    stop.textContent = say(paused ? "go" : "pause");
    if (!paused) redraw();
  }

  function clear() {
    held = [];
    redraw();
  }

  return { node, source };
}

function line({ ms, direction, peer, link, user, method, qid, bytes, text }) {
  if (direction === "lost") return h("li", { class: "quiet small lost" }, say("lostLines", { n: parseInt(text, 10) }));
  const inward = direction === "in";
  const pretty = h("pre", { class: "mono" });
  const fold = h(
    "details",
    { "data-method": method },
    h(
      "summary",
      {},
      h("time", { class: "quiet number" }, clock(ms)),
      h("span", { class: `way ${inward ? "in" : "out"}`, title: say(inward ? "in" : "out") }, inward ? "→" : "←"),
      h("span", { class: "peer" }, [link, user].filter(Boolean).join(" · ") || String(peer ?? "")),
      h("strong", { class: "method" }, method),
      h("span", { class: "mono quiet text" }, text),
      h("span", { class: "quiet small number size" }, say("bytes", { n: bytes })),
    ),
    pretty,
  );
  fold.addEventListener("toggle", () => {
    if (fold.open && !pretty.textContent)
      pretty.textContent = [qid ? `qid ${qid}, peer ${peer}` : `peer ${peer}`, indent(text)].join("\n");
  });
  return h("li", {}, fold);
}

function indent(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
