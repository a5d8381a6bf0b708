/** Chats: the list of them, and the one that is open. */

import { dialog } from "../page/dialog.js";
import { h, keyed, say as text } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { menuOn } from "../page/menu.js";
import { day } from "../page/language.js";
import { reasonWord } from "./states.js";
import { say } from "./words.js";

const PAGE = 50;

/** `counted(n)` hears how many texts are unread; `seen()` says whether the panel can be seen. */
export function chatsPanel(gateway, { counted, seen }) {
  const { chats, people } = gateway;
  let open = null; // the id of the open chat
  let texts = [];
  let whole = false;
  let asked = 0;
  let sending = 0; // texts that are not answered for yet

  const list = h("ul", { class: "chat-list", "aria-label": say("chats") });
  const none = h("p", { class: "empty" }, say("noChats"));
  const fresh = h(
    "button",
    { type: "button", class: "little", onclick: () => choose(say("newChat"), [], create) },
    icon("add"),
    say("newChat"),
  );
  const trouble = h("p", { class: "note bad small", role: "alert", hidden: true });
  const title = h("h2", { class: "grow" });
  const whoIn = h("p", { class: "quiet small" });
  const leaveIt = h(
    "button",
    {
      type: "button",
      class: "plain round back",
      "aria-label": say("allChats"),
      title: say("allChats"),
      onclick: close,
    },
    icon("back"),
  );
  const more = h(
    "button",
    { type: "button", class: "plain round", "aria-label": say("more"), title: say("more") },
    icon("more"),
  );
  const earlier = h(
    "button",
    { type: "button", class: "little", hidden: true, onclick: () => load(texts[0]?.id) },
    say("earlier"),
  );
  const lines = h("ol", { class: "lines" });
  const input = h("textarea", {
    id: "chat-text",
    rows: "1",
    maxlength: "4000",
    placeholder: say("writeHere"),
    "aria-label": say("writeHere"),
  });
  const compose = h(
    "form",
    { class: "compose" },
    input,
    h("button", { type: "submit", class: "main square", "aria-label": say("send"), title: say("send") }, icon("send")),
  );
  const talk = h(
    "div",
    { class: "talk", hidden: true },
    h(
      "header",
      { class: "row nowrap" },
      leaveIt,
      h("div", { class: "grow" }, title, whoIn),
      menuOn(more, moreItems, { align: "end" }),
    ),
    h("div", { class: "scroll", role: "log", "aria-label": say("texts"), tabindex: "0" }, earlier, lines),
    compose,
  );
  const side = h("div", { class: "chat-side" }, h("div", { class: "row" }, fresh), none, list);
  const pick = h("p", { class: "empty pick" }, say("pickChat"));
  const node = h("div", { class: "chats" }, side, pick, talk);
  node.append(trouble);

  function draw() {
    keyed(list, chats.all, ({ id }) => id, row);
    none.hidden = chats.all.length > 0;
    counted(chats.all.reduce((sum, { unread }) => sum + unread, 0));
    const chat = chats.byId(open);
    if (open && !chat) return close();
    pick.hidden = Boolean(chat) || !chats.all.length;
    talk.hidden = !chat;
    node.classList.toggle("opened", Boolean(chat));
    if (!chat) return;
    text(title, nameOf(chat));
    text(
      whoIn,
      chat.members.length > 2 || chat.name
        ? chat.members.map(({ id, name }) => (id === gateway.userid ? say("me") : name)).join(", ")
        : "",
    );
  }

  function row({ id }) {
    const name = h("span", { class: "grow name" });
    const count = h("span", { class: "count number" });
    const when = h("time", { class: "quiet small number" });
    const button = h("button", { type: "button", class: "plain", onclick: () => show(id) }, name, when, count);
    const update = (chat) => {
      text(name, nameOf(chat));
      text(when, chat.time ? day(chat.time) : "");
      text(count, chat.unread ? String(chat.unread) : "");
      count.setAttribute("aria-label", say("unread", { n: chat.unread }));
      count.hidden = !chat.unread;
      button.setAttribute("aria-current", String(id === open));
    };
    return { node: h("li", {}, button), update };
  }

  function nameOf({ name, members }) {
    if (name) return name;
    const others = members.filter(({ id }) => id !== gateway.userid).map((one) => one.name);
    return others.join(", ") || say("alone");
  }

  async function show(id) {
    open = id;
    texts = [];
    lines.replaceChildren();
    draw();
    await load();
    input.focus();
  }

  function close() {
    open = null;
    draw();
    fresh.focus();
  }

  /** The newest texts, or those before one. */
  async function load(before) {
    const mine = ++asked;
    await attempt(async () => {
      const page = await chats.history(open, { before, limit: PAGE });
      if (mine !== asked) return;
      texts = before ? [...page, ...texts] : page;
      whole = page.length < PAGE;
    });
    drawTexts(!before);
  }

  function drawTexts(toEnd) {
    earlier.hidden = whole || !texts.length;
    keyed(lines, texts, ({ id }) => id, line);
    if (toEnd) lines.lastElementChild?.scrollIntoView({ block: "nearest" });
    view();
  }

  function line({ mine, name, time, text: words }) {
    const seenBy = h("span", { class: "seen" });
    const node = h(
      "li",
      { class: mine ? "mine" : "theirs" },
      h(
        "div",
        { class: "head small quiet" },
        mine ? "" : h("strong", {}, name),
        h("time", { class: "number" }, day(time)),
        seenBy,
      ),
      h("p", { class: "said" }, words),
    );
    const update = ({ viewers, mine: own }) => {
      const others = viewers.filter((id) => id !== gateway.userid);
      text(seenBy, own && others.length ? say("seen") : "");
      seenBy.title = others.map((id) => people.byId(id)?.name ?? id).join(", ");
    };
    return { node, update };
  }

  /** Whoever sees the open chat has read it. */
  function view() {
    const chat = chats.byId(open);
    const last = texts.findLast(({ mine }) => !mine);
    if (!chat?.unread || !last || !seen() || document.hidden) return;
    chats.viewed(open, last.id).catch(() => {});
  }

  async function attempt(order) {
    try {
      await order();
      trouble.hidden = true;
      return true;
    } catch (error) {
      text(trouble, reasonWord(error));
      trouble.hidden = false;
      return false;
    }
  }

  async function write() {
    const words = input.value.trim();
    if (!words || !open) return;
    input.value = "";
    sending += 1;
    compose.setAttribute("aria-busy", "true");
    if (!(await attempt(() => chats.send(open, words)))) input.value = [words, input.value].filter(Boolean).join("\n");
    sending -= 1;
    if (!sending) compose.removeAttribute("aria-busy");
  }

  const create = (members) => attempt(async () => show(await chats.create(members)));

  function moreItems() {
    const chat = chats.byId(open);
    const mine = chat.creator === gateway.userid;
    const others = chat.members.filter(({ id }) => id !== gateway.userid);
    return [
      { text: say("rename"), act: () => askName(chat) },
      {
        text: say("addMember"),
        act: () =>
          choose(
            say("addMember"),
            chat.members.map(({ id }) => id),
            (ids) =>
              attempt(async () => {
                for (const id of ids) await chats.addMember(chat.id, id);
              }),
          ),
      },
      ...(mine && others.length > 1
        ? others.map(({ id, name }) => ({
            text: say("throwOutWho", { who: name }),
            act: () => attempt(() => chats.removeMember(chat.id, id)),
          }))
        : []),
      { text: say("leaveChat"), act: () => attempt(() => chats.removeMember(chat.id, gateway.userid)) },
    ];
  }

  function askName(chat) {
    const name = h("input", { id: "chat-name", value: chat.name, maxlength: "120", autocomplete: "off" });
    const form = h(
      "form",
      { novalidate: true },
      h("label", { for: "chat-name" }, say("chatName")),
      name,
      h("button", { class: "main", type: "submit" }, say("save")),
    );
    const box = dialog(say("rename"), say("close"), form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      box.close();
      attempt(() => chats.rename(chat.id, name.value.trim()));
    });
  }

  /** Asks for people; `without` are there already. */
  function choose(heading, without, done) {
    const all = people.all.filter(({ user, me, id }) => user && !me && !without.includes(id));
    const boxes = all.map(({ id, name }) => {
      const box = h("input", { type: "checkbox", id: `chat-${id}`, value: id });
      return { box, row: h("label", { class: "check", for: box.id }, box, name) };
    });
    const ok = h("button", { class: "main", type: "submit", disabled: true }, say("begin"));
    const picked = () => boxes.filter(({ box }) => box.checked).map(({ box }) => box.value);
    const form = h(
      "form",
      { novalidate: true },
      h(
        "div",
        { class: "choices" },
        boxes.map(({ row: one }) => one),
      ),
      ok,
    );
    form.addEventListener("change", () => (ok.disabled = !picked().length));
    const box = dialog(heading, say("close"), form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      box.close();
      done(picked());
    });
  }

  compose.addEventListener("submit", (event) => {
    event.preventDefault();
    write();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    write();
  });
  talk.addEventListener("keydown", (event) => event.key === "Escape" && close());
  document.addEventListener("visibilitychange", view);
  chats.on("change", draw);
  chats.on("message", (id, one) => {
    if (id !== open || texts.some((known) => known.id === one.id)) return;
    texts = [...texts, one];
    drawTexts(true);
  });
  chats.on("viewed", (id, textId, viewer) => {
    const upTo = id === open ? texts.findIndex((one) => one.id === textId) : -1;
    if (upTo < 0) return;
    texts = texts.map((one, i) =>
      i <= upTo && !one.viewers.includes(viewer) ? { ...one, viewers: [...one.viewers, viewer] } : one,
    );
    drawTexts(false);
  });
  gateway.on("state", ({ state }) => state === "online" && open && load());
  draw();

  return {
    node,
    look: view,
    /** Opens the chat with one other person. */
    with: (userid) => attempt(async () => show(await chats.with(userid))),
  };
}
