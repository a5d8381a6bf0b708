/** What stands around every page: the navigation, the bar, and the keys that work everywhere. */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { me, post, reach, token } from "./api.js";
import { chooseLanguage, chooseTheme, language, nextTheme, theme } from "./choice.js";
import { moment, now } from "./format.js";
import { html } from "./html.js";
import { shortcuts, Sheet } from "./keys.js";
import { connection, notices } from "./live.js";
import { GROUPS, PAGES } from "./pages.js";
import { ask, closeAll } from "./parts/dialog.js";
import { Icon } from "./parts/icon.js";
import { Menu } from "./parts/menu.js";
import { attempt } from "./parts/said.js";
import { Empty } from "./parts/states.js";
import { go, route, to } from "./route.js";
import { say } from "./words.js";

const NAMES = { ru: "Русский", en: "English" };

/** Whether the navigation is open, where it is not always. */
const drawer = signal(false);

export const helpSheet = () => ask(say("keysSheet"), () => html`<${Sheet} />`, { wide: true });

export function Frame() {
  const { page: id, parts, query } = route.value;
  const found = PAGES.find((one) => one.id === id);
  const content = useRef();
  const before = useRef(null);

  useEffect(() => shortcuts(), []);
  useEffect(() => {
    document.title = `${found ? say(`page.${id}`) : say("page.none")} · ctigate`;
    if (before.current !== null && before.current !== id) {
      closeAll();
      content.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    before.current = id;
    drawer.value = false;
  }, [id, language.value]);

  return html`
    <a class="skip" href="#content" onClick=${(event) => {
      event.preventDefault();
      content.current.focus();
    }}>${say("skip")}</a>
    <div class="console">
      <${Navigation} id=${id} />
      <div class="side">
        <${Bar} id=${found ? id : "none"} />
        <${Lost} />
        <main id="content" tabindex="-1" ref=${content} class="content page-${id}">
          ${
            found
              ? html`<${found.page} key=${id} parts=${parts} query=${query} />`
              : html`<${Empty} title=${say("page.none")}><a href=${to("overview")}>${say("page.overview")}</a><//>`
          }
        </main>
      </div>
    </div>
  `;
}

function Navigation({ id }) {
  const open = drawer.value;
  const node = useRef();
  useEffect(() => {
    if (!open) return undefined;
    node.current.querySelector("a[aria-current], a")?.focus();
    const keys = (event) => event.key === "Escape" && (drawer.value = false);
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, [open]);
  return html`
    ${open && html`<div class="veil" onClick=${() => (drawer.value = false)}></div>`}
    <nav class=${open ? "navigation open" : "navigation"} aria-label=${say("navigation")} ref=${node}>
      <a class="brand" href=${to("overview")}><img src="/page/icon.svg" alt="" width="24" height="24" />ctigate</a>
      ${GROUPS.map(
        (group) => html`<p class="group" id="group-${group}">${say(`group.${group}`)}</p>
          <ul aria-labelledby="group-${group}">
            ${PAGES.filter((page) => page.group === group).map(
              (page) => html`<li>
                <a href=${to(page.id)} aria-current=${page.id === id ? "page" : undefined} title="g ${page.key}" onClick=${() => (drawer.value = false)}>
                  <${Icon} name=${page.icon} /><span>${say(`page.${page.id}`)}</span>
                </a>
              </li>`,
            )}
          </ul>`,
      )}
      <ul class="foot">
        <li><a href="/api" target="_blank" rel="noopener"><${Icon} name="api" /><span>${say("page.api")}</span></a></li>
      </ul>
    </nav>
  `;
}

function Bar({ id }) {
  const who = me.value;
  const themes = { system: "screen", light: "sun", dark: "moon" };
  const other = language.value === "ru" ? "en" : "ru";
  async function leave() {
    if (who.by === "session" && !(await attempt(() => post("signout")))) return;
    token.set(null);
    me.value = null;
  }
  return html`<header class="top">
    <button type="button" class="plain square burger" aria-label=${say("navigation")} aria-expanded=${String(drawer.value)} onClick=${() => (drawer.value = !drawer.value)}>
      <${Icon} name="menu" />
    </button>
    <h1 class="grow">${say(`page.${id}`)}</h1>
    <${Connection} />
    <button type="button" class="plain finder" onClick=${palette} title="Ctrl K">
      <${Icon} name="inspect" /><span>${say("find")}</span><kbd>Ctrl K</kbd>
    </button>
    <${Notices} />
    <button type="button" class="plain roomy" lang=${other} onClick=${() => chooseLanguage(other)}>
      ${NAMES[other]}
    </button>
    <button type="button" class="plain square roomy" aria-label=${say("theme", { theme: say(`theme.${theme.value}`) })} title=${say("theme", { theme: say(`theme.${theme.value}`) })} onClick=${() => chooseTheme(nextTheme())}>
      <${Icon} name=${themes[theme.value]} />
    </button>
    <${Menu}
      label=${say("account")}
      spoken
      class="plain account"
      items=${[
        { title: who.name || who.login || say("byToken") },
        { text: say("page.me"), icon: "user", hint: "g m", act: () => go(to("me")) },
        { text: say("keysSheet"), icon: "keys", hint: "?", act: helpSheet },
        { text: NAMES[other], icon: "chat", act: () => chooseLanguage(other) },
        {
          text: say("theme", { theme: say(`theme.${nextTheme()}`) }),
          icon: themes[nextTheme()],
          act: () => chooseTheme(nextTheme()),
        },
        { text: say("leave"), icon: "exit", act: leave },
      ]}
    >
      <span class="face" aria-hidden="true">${initials(who.name || who.login || "T")}</span>
      <span class="name">${who.name || who.login || say("byToken")}</span>
    <//>
  </header>`;
}

const initials = (name) =>
  String(name)
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();

function Connection() {
  const { state } = connection.value;
  const lost = state === "lost" || reach.value === "lost";
  const shown = lost ? "lost" : state;
  const tone = { online: "good", lost: "bad", connecting: "warn", silent: "" }[shown];
  return html`<span class="dot connection ${tone}" role="status" title=${say(`connection.${shown}`)}>
    <span>${say(`connection.${shown}`)}</span>
  </span>`;
}

/** Over every page while there is no connection: what is shown may be old. */
function Lost() {
  const { state, until } = connection.value;
  if (state !== "lost" && reach.value !== "lost") return null;
  const seconds = until ? Math.max(0, Math.ceil((until - now.value) / 1000)) : 0;
  return html`<p class="lost" role="alert">
    <${Icon} name="warn" />${say("lost")}${seconds > 0 && html`<span class="number"> ${say("lost.again", { seconds })}</span>`}
  </p>`;
}

const read = signal(0);
function Notices() {
  const all = notices.value;
  const fresh = all.filter(({ at_ms }) => at_ms > read.value).length;
  const show = () => {
    read.value = all[0]?.at_ms ?? 0;
    ask(say("notices"), () =>
      all.length
        ? html`<ul class="notices">
            ${all.map(
              ({ at_ms, level, text }) => html`<li class=${level}>
                <${Icon} name=${level === "error" ? "bad" : level === "warn" ? "warn" : "info"} />
                <span class="grow">${text}</span><time class="quiet number small">${moment(at_ms)}</time>
              </li>`,
            )}
          </ul>`
        : html`<p class="quiet">${say("notices.none")}</p>`,
    );
  };
  const label = fresh ? say("notices.fresh", { n: fresh }) : say("notices");
  return html`<button type="button" class="plain square bell" aria-label=${label} title=${label} onClick=${show}>
    <${Icon} name="info" />${fresh > 0 && html`<span class="count">${fresh}</span>`}
  </button>`;
}

/** Goes anywhere by name: a page, or what is typed as a number, a login or the id of a call. */
export function palette() {
  ask(say("find"), ({ close }) => html`<${Palette} close=${close} />`);
}

const typed = signal("");
const chosen = signal(0);

function Palette({ close }) {
  useEffect(() => {
    typed.value = "";
    chosen.value = 0;
  }, []);
  const text = typed.value.trim();
  const low = text.toLowerCase();
  const pages = PAGES.map((page) => ({
    icon: page.icon,
    text: say(`page.${page.id}`),
    hint: `g ${page.key}`,
    href: to(page.id),
  }));
  const found = [
    ...pages.filter((one) => one.text.toLowerCase().includes(low)),
    ...(text
      ? [
          { icon: "people", text: say("find.person", { text }), href: to("people", [], { q: text }) },
          { icon: "journal", text: say("find.number", { text }), href: to("journal", [], { number: text }) },
          { icon: "explain", text: say("find.call", { text }), href: to("explain", ["call", text]) },
          { icon: "settings", text: say("find.setting", { text }), href: to("settings", [], { q: text }) },
        ]
      : []),
  ];
  const at = Math.min(chosen.value, found.length - 1);
  const leave = (one) => {
    close();
    go(one.href);
  };
  const keys = (event) => {
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + found.length };
    if (event.key in moves) chosen.value = moves[event.key] % found.length;
    else if (event.key === "Enter" && found[at]) leave(found[at]);
    else return;
    event.preventDefault();
  };
  return html`<div class="palette">
    <input
      type="text"
      role="combobox"
      aria-expanded="true"
      aria-controls="palette-list"
      aria-activedescendant="palette-${at}"
      aria-label=${say("find")}
      placeholder=${say("find.hint")}
      autocomplete="off"
      spellcheck=${false}
      autofocus
      value=${typed.value}
      onInput=${(event) => {
        typed.value = event.currentTarget.value;
        chosen.value = 0;
      }}
      onKeyDown=${keys}
    />
    <ul role="listbox" id="palette-list" aria-label=${say("find")}>
      ${found.map(
        (
          one,
          i,
        ) => html`<li key=${one.href} id="palette-${i}" role="option" aria-selected=${String(i === at)} onClick=${() => leave(one)}>
          <${Icon} name=${one.icon} /><span class="grow">${one.text}</span>${one.hint && html`<kbd>${one.hint}</kbd>`}
        </li>`,
      )}
    </ul>
  </div>`;
}
