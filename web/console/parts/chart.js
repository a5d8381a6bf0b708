/** Charts over time, by uPlot, in the colours of the page. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { colours, language } from "../choice.js";
import { count } from "../format.js";
import { html } from "../html.js";
import { say } from "../words.js";

/**
 * `lines`: `{label, tone, values, fill?}`; `times` in ms since 1970. The figures are also there for those who cannot see
 * the drawing: `summary` says the last ones.
 */
export function Chart({ title, times, lines, unit = (n) => count(n, 1), summary, height = 150 }) {
  const place = useRef();
  const plot = useRef(null);
  const early = times.length < 2;
  const wanted = `${early} ${colours.value} ${language.value} ${lines.map(({ label, tone }) => label + tone).join()}`;
  const data = [times.map((ms) => ms / 1000), ...lines.map(({ values }) => values)];

  useEffect(() => {
    if (early) return undefined;
    const node = place.current;
    const colour = (name) => colourOf(node, name);
    const quiet = colour("quiet");
    const grid = { stroke: colour("line"), width: 1 };
    const axis = { stroke: quiet, font: "11px system-ui, sans-serif", grid, ticks: { show: false } };
    const size = () => ({ width: Math.max(160, node.clientWidth), height });
    plot.current = new uPlot(
      {
        ...size(),
        padding: [8, 6, 0, 0],
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        legend: { live: true },
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [
          { ...axis, grid: { show: false }, space: 60, size: 26, values: (_, ticks) => ticks.map((s) => timeOf(s)) },
          { ...axis, size: 50, space: 32, values: (_, ticks) => ticks.map(unit) },
        ],
        series: [
          { label: say("chart.time"), value: (_, s) => (s === null ? "—" : timeOf(s)) },
          ...lines.map(({ label, tone, fill }) => ({
            label,
            stroke: colour(tone),
            width: 1.6,
            fill: fill ? colour(`${tone}-soft`) : undefined,
            points: { show: false },
            value: (_, n) => (n === null ? "—" : unit(n)),
          })),
        ],
      },
      data,
      node,
    );
    const watch = new ResizeObserver(() => plot.current?.setSize(size()));
    watch.observe(node);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [wanted, height]);

  useEffect(() => plot.current?.setData(data));

  return html`<figure class="card chart">
    <figcaption class="row"><h2 class="grow">${title}</h2><span class="quiet small number">${summary}</span></figcaption>
    <div class="plot" ref=${place} aria-hidden="true" hidden=${early}></div>
    ${early && html`<p class="quiet small early">${say("chart.early")}</p>`}
  </figure>`;
}

const timeOf = (s) => new Date(s * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** What a variable of the style sheet is now, as canvas understands it. */
function colourOf(node, name) {
  const probe = document.createElement("i");
  probe.className = `probe-${name}`;
  node.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
