/** The first run: an administrator, the CRM, its address, a try with each check as a line, and what comes next. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get, post, query } from "./api.js";
import { html } from "./html.js";
import { bodyOf, Fields, modesOf, Test, Way } from "./pages/link-form.js";
import { Text, Word } from "./parts/field.js";
import { Icon } from "./parts/icon.js";
import { why } from "./parts/said.js";
import { Failed, Loading } from "./parts/states.js";
import { Card } from "./sign-in.js";
import { say } from "./words.js";

const code = new URLSearchParams(location.search).get("code") ?? "";
const STEPS = ["admin", "way", "fields", "test", "done"];

export function Setup() {
  const begin = useSignal({ state: "loading" });

  async function look() {
    begin.value = { state: "loading" };
    try {
      const answer = await get(`setup${query({ code })}`, { quiet: true });
      const schema = answer.schema ?? answer.modes ?? (await get(`links/schema${query({ code })}`, { quiet: true }));
      begin.value = { state: answer.needed === false ? "over" : "open", modes: modesOf(schema) };
    } catch (error) {
      begin.value = { state: error.status === 0 ? "lost" : "closed", error };
    }
  }
  useEffect(() => {
    look();
  }, []);

  const { state, modes, error } = begin.value;
  return html`<${Card} title=${say("setup.title")} under=${say("setup.under")} wide>
    ${state === "loading" && html`<${Loading} lines="4" />`}
    ${state === "lost" && html`<${Failed} error=${error} again=${look} />`}
    ${state === "over" && html`<p class="note good">${say("setup.over")}</p><p><a class="button main" href="/">${say("setup.console")}</a></p>`}
    ${state === "closed" && html`<p class="note bad" role="alert">${say("setup.closed")}</p><p class="quiet">${say("setup.closed.what")}</p><p class="quiet small">${why(error)}</p>`}
    ${state === "open" && html`<${Wizard} modes=${modes} />`}
  <//>`;
}

function Wizard({ modes }) {
  const at = useSignal(0);
  const admin = useSignal({ login: "admin", name: "", password: "", again: "" });
  const link = useSignal({ name: "crm", mode: "" });
  const tried = useSignal(null);
  const wrong = useSignal("");
  const busy = useSignal(false);
  const set = (change) => (link.value = { ...link.peek(), ...change });
  const go = (n) => {
    wrong.value = "";
    at.value = n;
  };
  useEffect(() => {
    (at.value === 0 ? document.querySelector("[name=password]") : document.querySelector("#setup-step"))?.focus();
  }, [at.value]);

  async function finish(withLink) {
    busy.value = true;
    wrong.value = "";
    const { login, name, password } = admin.value;
    try {
      await post(
        "setup",
        {
          code,
          admin: { login: login.trim(), name: name.trim(), password },
          ...(withLink ? { link: bodyOf(link.value, modes) } : {}),
        },
        { quiet: true },
      );
      await post("signin", { login: login.trim(), password }, { quiet: true }).catch(() => {}); // else the console asks
      at.value = 4;
    } catch (error) {
      wrong.value = why(error);
    }
    busy.value = false;
  }

  return html`
    <ol class="steps" aria-label=${say("steps")}>
      ${STEPS.map((step, i) => html`<li aria-current=${i === at.value ? "step" : undefined} class=${i < at.value ? "done" : ""}><span class="plain"><span class="n">${i + 1}</span><span class="name">${say(`setup.${step}`)}</span></span></li>`)}
    </ol>
    <h2 class="title" tabindex="-1" id="setup-step">${say(`setup.${STEPS[at.value]}.title`)}</h2>
    ${wrong.value && html`<p class="note bad" role="alert">${wrong.value}</p>`}
    ${at.value === 0 && html`<${Admin} value=${admin.value} set=${(change) => (admin.value = { ...admin.peek(), ...change })} done=${() => go(1)} />`}
    ${
      at.value === 1 &&
      html`<p class="quiet">${say("setup.way.what")}</p><${Way} modes=${modes} value=${link.value.mode} set=${(
        mode,
      ) => {
        set({ mode });
        go(2);
      }} />
      <div class="ends"><button type="button" onClick=${() => go(0)}>${say("back")}</button><button type="button" disabled=${busy.value} onClick=${() => finish(false)}>${say("setup.later")}</button></div>`
    }
    ${at.value === 2 && html`<${Fields} modes=${modes} values=${link.value} set=${set} done=${() => go(3)} next=${say("setup.try")}><button type="button" onClick=${() => go(1)}>${say("back")}</button><//>`}
    ${
      at.value === 3 &&
      html`<${Test} path=${`setup/test${query({ code })}`} body=${bodyOf(link.value, modes)} back=${() => go(2)} ended=${(end) => (tried.value = end)}>
      <button type="button" class="main" disabled=${busy.value} onClick=${() => finish(true)}>${say(tried.value?.ok ? "setup.save" : "setup.save.anyway")}</button>
    <//>`
    }
    ${at.value === 4 && html`<${Done} />`}
  `;
}

function Admin({ value, set, done }) {
  const wrong = useSignal({});
  function submit(event) {
    event.preventDefault();
    const lacks = {};
    if (!value.login.trim()) lacks.login = say("missing");
    if (!value.password) lacks.password = say("missing");
    else if (value.password.length < 8) lacks.password = say("setup.short");
    else if (value.password !== value.again) lacks.again = say("password.differ");
    wrong.value = lacks;
    if (!Object.keys(lacks).length) done();
  }
  return html`<form onSubmit=${submit} novalidate>
    <p class="quiet">${say("setup.admin.what")}</p>
    <div class="fields">
      <${Text} label=${say("login")} name="login" autocomplete="username" autocapitalize="none" needed wrong=${wrong.value.login} value=${value.login} set=${(login) => set({ login })} />
      <${Text} label=${say("people.name")} name="name" autocomplete="name" value=${value.name} set=${(name) => set({ name })} />
      <${Word} label=${say("password")} name="password" autocomplete="new-password" help=${say("setup.password.help")} needed wrong=${wrong.value.password} value=${value.password} set=${(password) => set({ password })} />
      <${Word} label=${say("setup.again")} name="again" autocomplete="new-password" needed wrong=${wrong.value.again} value=${value.again} set=${(again) => set({ again })} />
    </div>
    <div class="ends"><button class="main" type="submit">${say("step.on")}</button></div>
  </form>`;
}

/** What to do next, in the order in which it is useful. */
function Done() {
  const next = [
    ["people", "/#/people"],
    ["links", "/#/links"],
    ["doctor", "/#/doctor"],
  ];
  return html`
    <p class="note good">${say("setup.ready")}</p>
    <ul class="next rows">
      ${next.map(([page, href]) => html`<li><a class="row nowrap" href=${href}><${Icon} name=${page} /><span class="grow"><b>${say(`setup.next.${page}`)}</b><br /><span class="quiet small">${say(`setup.next.${page}.what`)}</span></span><${Icon} name="next" /></a></li>`)}
    </ul>
    <div class="ends"><a class="button main" href="/">${say("setup.console")}</a></div>
  `;
}
