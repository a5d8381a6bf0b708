/** The cards that ask who you are, and for a new password when the present one may not stay. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, post, token } from "./api.js";
import { chooseLanguage, chooseTheme, language, nextTheme, theme } from "./choice.js";
import { html } from "./html.js";
import { Text, Word } from "./parts/field.js";
import { Icon } from "./parts/icon.js";
import { why } from "./parts/said.js";
import { say } from "./words.js";

const LANGUAGES = { ru: "Русский", en: "English" };

/** A card alone on the page. */
export function Card({ title, under, wide, children }) {
  const other = language.value === "ru" ? "en" : "ru";
  const themes = { system: "screen", light: "sun", dark: "moon" };
  useEffect(() => {
    document.title = `${title} · ctigate`;
  }, [title]);
  return html`<main class="enter">
    <div class="card ${wide ? "wide" : ""}">
      <header class="row nowrap">
        <img src="/page/icon.svg" alt="" width="36" height="36" />
        <div class="grow"><h1>${title}</h1><p class="quiet small">${under}</p></div>
        <button type="button" class="plain square" aria-label=${say("theme", { theme: say(`theme.${theme.value}`) })} title=${say("theme", { theme: say(`theme.${theme.value}`) })} onClick=${() => chooseTheme(nextTheme())}>
          <${Icon} name=${themes[theme.value]} />
        </button>
        <button type="button" class="plain language" lang=${other} title=${LANGUAGES[other]} onClick=${() => chooseLanguage(other)}>
          <span class="long">${LANGUAGES[other]}</span><span class="short">${other.toUpperCase()}</span>
        </button>
      </header>
      ${children}
    </div>
  </main>`;
}

export function SignIn({ enter }) {
  const way = useSignal("password");
  return html`<${Card} title="ctigate" under=${say("consoleTitle")}>
    ${way.value === "password" ? html`<${ByPassword} enter=${enter} />` : html`<${ByToken} enter=${enter} />`}
    <p class="ways">
      <button type="button" class="plain" onClick=${() => (way.value = way.value === "password" ? "token" : "password")}>
        ${say(way.value === "password" ? "byTokenInstead" : "byPasswordInstead")}
      </button>
    </p>
  <//>`;
}

/** What may go wrong at the door, for people. */
function refusal(error) {
  if (error.status === 401) return say("signin.wrong");
  if (error.status === 403 && !error.body?.need) return say("signin.noRight");
  if (error.status === 429) return say("signin.often");
  return why(error);
}

function ByPassword({ enter }) {
  const login = useSignal("");
  const password = useSignal("");
  const code = useSignal("");
  const need = useSignal(false);
  const wrong = useSignal("");
  const busy = useSignal(false);
  const form = useRef();

  useEffect(() => {
    form.current.querySelector(need.value ? "[name=code]" : "[name=login]")?.focus();
  }, [need.value]);

  async function submit(event) {
    event.preventDefault();
    if (!login.value.trim() || !password.value) {
      wrong.value = say("signin.both");
      return;
    }
    busy.value = true;
    wrong.value = "";
    try {
      const body = { login: login.value.trim(), password: password.value };
      await post("signin", need.value ? { ...body, code: code.value.replace(/\s/g, "") } : body, { quiet: true });
      password.value = "";
      await enter();
    } catch (error) {
      if (error.status === 403 && error.body.need === "code") {
        if (need.value) wrong.value = say("signin.code");
        need.value = true;
      } else {
        wrong.value = need.value && error.status === 401 ? say("signin.code") : refusal(error);
        form.current.querySelector(need.value ? "[name=code]" : "[name=password]")?.select();
      }
    }
    busy.value = false;
  }

  return html`<form ref=${form} onSubmit=${submit} novalidate>
    <${Text} label=${say("login")} name="login" autocomplete="username" autocapitalize="none" value=${login.value} set=${(text) => (login.value = text)} />
    <${Word} label=${say("password")} name="password" autocomplete="current-password" value=${password.value} set=${(text) => (password.value = text)} />
    ${
      need.value &&
      html`<${Text}
      label=${say("code")}
      name="code"
      help=${say("code.help")}
      autocomplete="one-time-code"
      inputmode="numeric"
      maxlength="9"
      value=${code.value}
      set=${(text) => (code.value = text)}
    />`
    }
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <button class="main" type="submit" disabled=${busy.value}>${say(busy.value ? "entering" : "enter")}</button>
  </form>`;
}

function ByToken({ enter }) {
  const text = useSignal("");
  const wrong = useSignal("");
  const busy = useSignal(false);
  const form = useRef();
  useEffect(() => form.current.querySelector("input").focus(), []);

  async function submit(event) {
    event.preventDefault();
    if (!/^[\x21-\x7e]+$/.test(text.value.trim())) {
      wrong.value = say("signin.noToken");
      return;
    }
    busy.value = true;
    wrong.value = "";
    token.set(text.value.trim());
    try {
      await get("me", { quiet: true });
      await enter();
    } catch (error) {
      token.set(null);
      wrong.value = error.status === 401 ? say("signin.wrongToken") : refusal(error);
    }
    busy.value = false;
  }

  return html`<form ref=${form} onSubmit=${submit} novalidate>
    <${Word} label=${say("token")} name="token" help=${say("token.help")} value=${text.value} set=${(value) => (text.value = value)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <button class="main" type="submit" disabled=${busy.value}>${say(busy.value ? "entering" : "enter")}</button>
  </form>`;
}

/** The form that changes one's password; also a part of one's own page. */
export function PasswordForm({ done, act }) {
  const old = useSignal("");
  const fresh = useSignal("");
  const again = useSignal("");
  const wrong = useSignal("");
  const busy = useSignal(false);

  async function submit(event) {
    event.preventDefault();
    if (!old.value || !fresh.value) wrong.value = say("password.both");
    else if (fresh.value !== again.value) wrong.value = say("password.differ");
    else if (fresh.value === old.value) wrong.value = say("password.same");
    else {
      busy.value = true;
      wrong.value = "";
      try {
        await post("me/password", { old: old.value, new: fresh.value }, { quiet: true });
        old.value = fresh.value = again.value = "";
        await done();
      } catch (error) {
        wrong.value = [401, 403].includes(error.status) ? say("password.wrong") : why(error);
      }
      busy.value = false;
    }
  }

  return html`<form onSubmit=${submit} novalidate>
    <${Word} label=${say("password.old")} name="old" autocomplete="current-password" value=${old.value} set=${(text) => (old.value = text)} />
    <${Word} label=${say("password.new")} name="new" autocomplete="new-password" value=${fresh.value} set=${(text) => (fresh.value = text)} />
    <${Word} label=${say("password.again")} name="again" autocomplete="new-password" value=${again.value} set=${(text) => (again.value = text)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div><button class="main" type="submit" disabled=${busy.value}>${act}</button></div>
  </form>`;
}

export function NewPassword({ who, done }) {
  return html`<${Card} title=${say("password.must")} under=${who.name || who.login}>
    <p class="note">${say("password.must.why")}</p>
    <${PasswordForm} done=${done} act=${say("password.set")} />
  <//>`;
}
