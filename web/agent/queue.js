/** The calls that wait for this agent. */

import { h, keyed, say as text } from "../page/dom.js";
import { length } from "../page/language.js";
import { say } from "./words.js";

const LONG_MS = 60_000; // from here on a wait is shown as a long one

export function queueCard({ queue }) {
  const count = h("span", { class: "count number" });
  const list = h("ol", { class: "waiting" });
  const heading = h("h2", { class: "row" }, h("span", { class: "grow" }, say("queue")), count);
  const news = h("p", { class: "unseen", role: "status" });
  const node = h("section", { class: "card queue", "aria-label": say("queue") }, heading, list, news);
  const times = new Map();

  function row(call) {
    const time = h("time", { class: "number small" });
    times.set(call.chain, { time, since: call.since });
    return {
      node: h(
        "li",
        { class: "row", "data-chain": call.chain },
        h(
          "div",
          { class: "grow" },
          h("div", { class: "number" }, call.name || call.number || say("unknownNumber")),
          h("div", { class: "quiet small" }, [call.name && call.number, call.queue].filter(Boolean).join(" · ")),
        ),
        time,
      ),
    };
  }

  function draw() {
    const { waiting } = queue;
    keyed(list, waiting, ({ chain }) => chain, row);
    for (const chain of times.keys()) if (!waiting.some((one) => one.chain === chain)) times.delete(chain);
    text(count, String(waiting.length));
    text(news, waiting.length ? say("waitingNow", { n: waiting.length }) : "");
    node.classList.toggle("nobody", waiting.length === 0);
    tick();
  }

  function tick() {
    const now = Date.now();
    for (const { time, since } of times.values()) {
      text(time, length(now - since));
      time.classList.toggle("long", now - since > LONG_MS);
    }
  }

  queue.on("change", draw);
  draw();
  return { node, tick };
}
