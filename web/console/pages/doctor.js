/** Every check with green, amber or red, and what to do. */

import { useSignal } from "@preact/signals";
import { html } from "../html.js";
import { useLoad } from "../live.js";
import { Pills } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { Empty, Loaded } from "../parts/states.js";
import { either, say, sayOr } from "../words.js";

const PICTURES = { green: "good", amber: "warn", red: "bad" };
const STATES = ["red", "amber", "green"];

export function Doctor() {
  const load = useLoad("doctor", { about: ["links", "settings", "users"] });
  return html`<${Loaded} load=${load} lines="10">${({ items = [] }) => html`<${Checks} items=${items} again=${load.reload} busy=${load.loading} />`}<//>`;
}

function Checks({ items, again, busy }) {
  const kind = useSignal("all");
  const of = (state) => items.filter((one) => one.state === state).length;
  const worst = STATES.find((state) => of(state)) ?? "green";
  const found = kind.value === "all" ? items : items.filter(({ state }) => state === kind.value);
  const groups = Map.groupBy(found, ({ group }) => group ?? "");
  return html`
    <div class="verdict card ${worst}">
      <${Icon} name=${PICTURES[worst]} size="32" />
      <div class="grow"><h2 class="title">${say(`doctor.${worst}`)}</h2><p class="quiet">${say("doctor.counts", { red: of("red"), amber: of("amber"), green: of("green") })}</p></div>
      <button type="button" disabled=${busy} onClick=${again}><${Icon} name="again" />${say("doctor.again")}</button>
    </div>
    <div class="tools"><${Pills} label=${say("doctor.filter")} value=${kind.value} set=${(value) => (kind.value = value)} choices=${[["all", say("all"), items.length], ...STATES.map((state) => [state, say(`light.${state}`), of(state)])]} /></div>
    ${found.length === 0 && html`<${Empty} icon="good" title=${say("doctor.nothing")} />`}
    ${[...groups].map(
      ([group, list]) => html`<section class="card" key=${group}>
        <h2>${sayOr(`doctor.group.${group}`, group)}</h2>
        <ul class="lights rows">${list.map(
          (one) => html`<li class=${one.state}>
            <${Icon} name=${PICTURES[one.state] ?? "info"} />
            <div class="grow">
              <p><b>${either(one, "name")}</b><span class="unseen"> ${sayOr(`light.${one.state}`, one.state)}</span></p>
              <p class="small">${either(one, "detail")}</p>
              ${either(one, "advice") && html`<p class="advice small">${either(one, "advice")}</p>`}
            </div>
          </li>`,
        )}</ul>
      </section>`,
    )}
  `;
}
