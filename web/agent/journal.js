/** The calls of the past: who, when, how long, what came of it, and the recording to listen to. */

import { h, keyed, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { day, length, today } from "../page/language.js";
import { reasonWord } from "./states.js";
import { say } from "./words.js";

const PAGE = 50;
const DAYS = [0, 6, 29];
const KINDS = ["all", "incoming", "outgoing", "internal", "missed"];

/** `desk.dial(number)` calls. */
export function journalPanel(gateway, desk) {
  const { journal, people, phone } = gateway;
  let calls = [];
  let seen = false;
  let asked = 0;
  let whole = true;

  const days = h(
    "select",
    { "aria-label": say("period"), onchange: reload },
    DAYS.map((n) => h("option", { value: String(n) }, say(`days.${n}`))),
  );
  const kind = h(
    "select",
    { "aria-label": say("kindOfCall"), onchange: reload },
    KINDS.map((word) => h("option", { value: word }, say(`kind.${word}`))),
  );
  const number = h("input", {
    type: "search",
    inputmode: "tel",
    placeholder: say("number"),
    "aria-label": say("number"),
    onchange: reload,
  });
  const list = h("ol", { class: "calls" });
  const empty = h("p", { class: "empty", role: "status" });
  const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
  const more = h(
    "button",
    { type: "button", class: "little", hidden: true, onclick: () => load(calls.length) },
    say("older"),
  );
  const node = h(
    "div",
    { class: "journal" },
    h("div", { class: "filters" }, days, kind, number),
    trouble,
    empty,
    list,
    more,
  );

  function reload() {
    if (seen && gateway.state === "online") return load(0);
  }

  async function load(offset) {
    const mine = ++asked;
    const chosen = kind.value;
    const filter = { from: today(-Number(days.value)), number: number.value.trim(), limit: PAGE, offset };
    if (chosen === "missed") Object.assign(filter, { missed: true, direction: "incoming" });
    else if (chosen !== "all") filter.direction = chosen;
    try {
      const page = await journal.calls(filter);
      if (mine !== asked) return;
      calls = offset ? [...calls, ...page] : page;
      whole = page.length < PAGE;
      trouble.hidden = true;
    } catch (error) {
      if (mine !== asked) return;
      text(trouble, reasonWord(error));
      trouble.hidden = false;
    }
    draw();
  }

  function draw() {
    keyed(list, calls, ({ chain, talk, userid }) => `${chain} ${talk} ${userid}`, row);
    text(empty, say("noCalls"));
    empty.hidden = calls.length > 0 || !trouble.hidden;
    more.hidden = whole;
  }

  function row(call) {
    const { direction, outcome, time, seconds, waited, queue } = call;
    const talked = seconds > 0 || outcome === "answered";
    const other = otherOf(call);
    const person = people.byNumber(other);
    const missed = !talked && direction !== "outgoing";
    const mine = !call.userid || call.userid === gateway.userid;
    const name = person?.name ?? (other || say("unknownNumber"));
    const about = [
      person && other,
      queue && (people.byNumber(queue)?.name ?? queue),
      talked ? "" : say(`outcome.${outcome}`),
      !mine && say("talkOf", { who: call.name }),
    ];
    const playing = h("div", { class: "playing", hidden: true });
    const way = h("div", { class: "way-of quiet small", hidden: true });
    const play = h(
      "button",
      {
        class: "plain round",
        type: "button",
        "aria-expanded": "false",
        "aria-label": say("listenTo", { who: name }),
        title: say("recording"),
        onclick: () => hear(call, play, playing),
      },
      icon("play"),
    );
    const details = h(
      "button",
      {
        class: "plain round",
        type: "button",
        "aria-expanded": "false",
        "aria-label": say("wayOf", { who: name }),
        title: say("way"),
        onclick: () => trace(call, details, way),
      },
      icon("list"),
    );
    const again = h(
      "button",
      {
        class: "plain round",
        type: "button",
        "aria-label": say("offer.call", { who: name }),
        title: say("offer.call", { who: name }),
        onclick: () => desk.dial(other),
      },
      icon("call"),
    );
    const label = say(missed ? "missedCall" : `kind.${direction}`);
    return {
      node: h(
        "li",
        { class: `call ${missed ? "missed" : direction}`, "data-chain": call.chain, "data-outcome": outcome },
        h(
          "div",
          { class: "row nowrap" },
          h(
            "span",
            { class: "kind", role: "img", "aria-label": label, title: label },
            icon(missed ? "missed" : direction),
          ),
          h(
            "div",
            { class: "grow" },
            h("div", { class: "name" }, name),
            h("div", { class: "quiet small" }, about.filter(Boolean).join(" · ")),
          ),
          h(
            "div",
            { class: "when" },
            h("time", { class: "number" }, day(time)),
            h(
              "div",
              { class: "quiet small number" },
              talked ? length(seconds * 1000) : waited ? say("waited", { time: length(waited * 1000) }) : "",
            ),
          ),
          h("div", { class: "offers" }, call.recording && play, details, other && other !== people.me.number && again),
        ),
        playing,
        way,
      ),
    };
  }

  function otherOf({ direction, caller, called, userid, queue }) {
    if (direction === "incoming") return caller;
    if (direction === "outgoing") return called;
    const mine = people.byId(userid)?.number ?? people.me.number;
    return caller === mine || caller === queue ? called : caller;
  }

  async function hear(call, button, place) {
    const open = place.hidden;
    button.setAttribute("aria-expanded", String(open));
    place.hidden = !open;
    if (!open) return place.replaceChildren();
    try {
      const source = await journal.recording(call);
      const player = h("audio", { controls: true, autoplay: true, src: source, "aria-label": say("recording") });
      player.addEventListener("error", () => place.replaceChildren(say("noRecording")));
      place.replaceChildren(player, h("a", { href: source, download: "", class: "small" }, say("download")));
      player.focus();
    } catch (error) {
      place.replaceChildren(reasonWord(error));
    }
  }

  async function trace({ chain }, button, place) {
    const open = place.hidden;
    button.setAttribute("aria-expanded", String(open));
    place.hidden = !open;
    if (!open) return;
    try {
      const steps = await journal.trace(chain);
      const line = ({ time, kind: what, number: who, detail }) => {
        const said = say(`step.${what}`);
        const name = people.byNumber(who)?.name;
        const extra = say(`cause.${detail}`) === `cause.${detail}` ? detail : say(`cause.${detail}`);
        return h(
          "li",
          {},
          h("time", { class: "number" }, time.slice(11)),
          " ",
          [said, [name, who].filter(Boolean).join(" "), extra].filter(Boolean).join(" · "),
        );
      };
      place.replaceChildren(h("ol", {}, steps.map(line)));
    } catch (error) {
      place.replaceChildren(reasonWord(error));
    }
  }

  phone.on("change", (line, before) => before.phase !== "unknown" && line.phase === "idle" && reload());
  gateway.on("state", ({ state }) => state === "online" && reload());

  return {
    node,
    /** Called when the panel is seen: it asks then, and keeps up from then on. */
    look() {
      seen = true;
      reload();
    },
    /** Shows the calls with a number. */
    with(wanted) {
      number.value = wanted;
      days.value = String(DAYS.at(-1));
      seen = true;
      reload();
    },
  };
}
