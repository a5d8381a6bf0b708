/** Panels behind tabs: Left and Right go from tab to tab. */

import { h } from "../page/dom.js";

/** `panels` is `[{key, title, node, look?}]`; `look` is called when a panel comes to be seen. */
export function tabbed(label, panels) {
  let now = panels[0].key;
  const tabs = panels.map(({ key, title }) => {
    const count = h("span", { class: "count number", hidden: true });
    const node = h(
      "button",
      { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, onclick: () => choose(key) },
      title,
      count,
    );
    return { key, node, count };
  });
  const bodies = panels.map(({ key, node }) =>
    h("div", { role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, class: "panel" }, node),
  );
  const bar = h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": label },
    tabs.map(({ node }) => node),
  );
  const node = h("section", { class: "card tabbed", "aria-label": label }, bar, bodies);

  function choose(key) {
    now = key;
    tabs.forEach((tab, i) => {
      const chosen = tab.key === key;
      tab.node.setAttribute("aria-selected", String(chosen));
      tab.node.tabIndex = chosen ? 0 : -1;
      bodies[i].hidden = !chosen;
    });
    panels.find((panel) => panel.key === key).look?.();
  }

  bar.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const shown = tabs.filter((tab) => !tab.node.hidden);
    if (!step) return;
    const next = shown[(shown.findIndex((tab) => tab.key === now) + step + shown.length) % shown.length];
    choose(next.key);
    next.node.focus();
  });

  choose(now);
  return {
    node,
    choose,
    now: () => now,
    count(key, n, label) {
      const { count } = tabs.find((tab) => tab.key === key);
      count.textContent = String(n);
      count.hidden = !n;
      count.setAttribute("aria-label", label);
    },
    /** Whether a tab is offered at all. */
    offer(key, offered) {
      const tab = tabs.find((one) => one.key === key);
      tab.node.hidden = !offered;
      if (!offered && now === key) choose(panels[0].key);
    },
  };
}
