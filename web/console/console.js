/** The administrator's console: who is there, and which page they see. */

import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { get, me } from "./api.js";
import { Frame } from "./frame.js";
import { html } from "./html.js";
import { followChanges } from "./live.js";
import { Dialogs } from "./parts/dialog.js";
import { Said } from "./parts/said.js";
import { Failed, Loading } from "./parts/states.js";
import { SignIn, NewPassword } from "./sign-in.js";
import { Setup } from "./setup.js";

const setup = location.pathname === "/setup";
const failure = signal(null);

/** Asks who we are; nobody is an answer too. */
async function recognize() {
  failure.value = null;
  try {
    me.value = await get("me", { quiet: true });
  } catch (error) {
    if (error.status === 401) me.value = null;
    else failure.value = error;
  }
}

function Console() {
  const known = me.value;
  const signedIn = Boolean(known) && !known.must_change_password;
  useEffect(() => (signedIn ? followChanges() : undefined), [signedIn]);

  if (setup) return html`<${Setup} /><${Dialogs} /><${Said} />`;
  let page;
  if (failure.value) page = html`<main class="enter"><${Failed} error=${failure.value} again=${recognize} /></main>`;
  else if (known === undefined) page = html`<main class="enter"><${Loading} lines="3" /></main>`;
  else if (known === null) page = html`<${SignIn} enter=${recognize} />`;
  else if (known.must_change_password) page = html`<${NewPassword} who=${known} done=${recognize} />`;
  else page = html`<${Frame} />`;
  return html`${page}<${Dialogs} /><${Said} />`;
}

if (!setup) recognize();
render(html`<${Console} />`, document.body);
