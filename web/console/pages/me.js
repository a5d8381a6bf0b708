/** Oneself: who one is here, password, second factor, language and theme. */

import { useSignal } from "@preact/signals";
import qrcode from "qrcode-generator";
import { get, me, post, remove } from "../api.js";
import { chooseLanguage, chooseTheme, language, theme } from "../choice.js";
import { html } from "../html.js";
import { Facts, Tag } from "../parts/badge.js";
import { ask } from "../parts/dialog.js";
import { Copy, Pills, Text } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { attempt, tell, why } from "../parts/said.js";
import { PasswordForm } from "../sign-in.js";
import { say, sayOr } from "../words.js";

const again = async () => (me.value = await get("me"));

export function Me() {
  const who = me.value;
  const byToken = who.by !== "session";
  return html`<div class="columns">
    <section class="card">
      <h2>${say("me.account")}</h2>
      <${Facts} rows=${[
        [say("login"), who.login],
        [say("people.name"), who.name],
        [say("people.role"), who.role && sayOr(`role.${who.role}`, who.role)],
        [say("me.by"), sayOr(`me.by.${who.by}`, who.by)],
        [
          say("keys.rights"),
          who.rights?.length > 0 &&
            html`<span class="tags">${who.rights.map((one) => html`<${Tag} title=${sayOr(`right.${one}`, one)}>${one}<//>`)}</span>`,
        ],
      ]} />
    </section>
    <section class="card">
      <h2>${say("me.look")}</h2>
      <div class="field"><span class="label">${say("me.language")}</span><${Pills} label=${say("me.language")} value=${language.value} set=${chooseLanguage} choices=${[
        ["ru", "Русский"],
        ["en", "English"],
      ]} /></div>
      <div class="field"><span class="label">${say("me.theme")}</span><${Pills} label=${say("me.theme")} value=${theme.value} set=${chooseTheme} choices=${["system", "light", "dark"].map((one) => [one, say(`theme.${one}`)])} /></div>
    </section>
    ${
      byToken
        ? html`<section class="card"><h2>${say("password")}</h2><p class="quiet">${say("me.token")}</p></section>`
        : html`<section class="card"><h2>${say("me.password")}</h2><${PasswordForm} act=${say("password.set")} done=${() => tell(say("password.done"))} /></section>
          <section class="card"><h2>${say("factor.title")}</h2><${Factor} on=${who.second_factor} /></section>`
    }
  </div>`;
}

function Factor({ on }) {
  const begin = async () => {
    let made;
    if (await attempt(async () => (made = await post("me/second_factor"))))
      ask(say("factor.title"), ({ close }) => html`<${Join} ...${made} close=${close} />`, { strict: true });
  };
  const end = () =>
    ask(
      say("factor.off"),
      ({ close }) =>
        html`<${Code} act=${say("factor.off")} words=${say("factor.off.what")} send=${(code) => remove("me/second_factor", { code })} done=${() => {
          tell(say("factor.off.done"));
          close();
          again();
        }} />`,
    );
  return html`
    <p><span class="dot ${on ? "good" : "warn"}">${say(on ? "factor.on" : "factor.none")}</span></p>
    <p class="quiet">${say("factor.what")}</p>
    <div class="row">${
      on
        ? html`<button type="button" onClick=${end}>${say("factor.off")}</button>`
        : html`<button type="button" class="main" onClick=${begin}><${Icon} name="key" />${say("factor.begin")}</button>`
    }</div>
  `;
}

/** The picture for the telephone, then a code that shows that it has it. */
function Join({ secret, uri, close }) {
  return html`<div class="factor">
    <p>${say("factor.scan")}</p>
    <${Qr} text=${uri} />
    <p class="quiet small">${say("factor.type")}</p>
    <p class="row"><span class="secret mono grow" data-secret>${String(secret).replace(/(.{4})(?=.)/g, "$1 ")}</span><${Copy} text=${secret} /></p>
    <${Code} act=${say("factor.confirm")} send=${(code) => post("me/second_factor/confirm", { code })} done=${() => {
      tell(say("factor.done"));
      close();
      again();
    }} />
  </div>`;
}

function Code({ act, words, send, done }) {
  const code = useSignal("");
  const wrong = useSignal("");
  async function submit(event) {
    event.preventDefault();
    wrong.value = "";
    try {
      await send(code.value.replace(/\s/g, ""));
      done();
    } catch (error) {
      wrong.value = error.status === 403 || error.status === 400 ? say("signin.code") : why(error);
    }
  }
  return html`<form onSubmit=${submit} novalidate>
    ${words && html`<p class="quiet">${words}</p>`}
    <${Text} label=${say("code")} name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="9" value=${code.value} set=${(value) => (code.value = value)} />
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    <div><button class="main" type="submit">${act}</button></div>
  </form>`;
}

const BORDER = 4;

/** A QR code, drawn here. Always dark on light, as cameras want it. */
function Qr({ text }) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const n = code.getModuleCount();
  let path = "";
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++) if (code.isDark(y, x)) path += `M${x + BORDER} ${y + BORDER}h1v1h-1z`;
  const size = n + 2 * BORDER;
  return html`<svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label=${say("factor.picture")} shape-rendering="crispEdges"><path d=${path} /></svg>`;
}
