/** Small pictures, drawn in the colour of the text around them. They say nothing to screen readers: the button does. */

/** Paths in a square of 24. */
export const DRAWN = {
  call: "M6.2 4h2.6l1.7 4.2-2 1.6a11.5 11.5 0 0 0 5.7 5.7l1.6-2 4.2 1.7v2.6c0 1.2-1 2.2-2.2 2.2A15.6 15.6 0 0 1 4 6.2C4 5 5 4 6.2 4z",
  end: "M3 14.5v-1.4C5.4 10.6 8.6 9.2 12 9.2s6.6 1.4 9 3.9v1.4l-2 1.9-3.7-1.9v-2.4a11 11 0 0 0-6.6 0v2.4L5 16.4z",
  hold: "M9 6v12M15 6v12",
  play: "M8 5.5l10.5 6.5L8 18.5z",
  swap: "M8 4v15M8 19l-3.5-3.5M8 19l3.5-3.5M16 20V5M16 5l-3.5 3.5M16 5l3.5 3.5",
  transfer: "M4 12h11M11 7.5l4.5 4.5-4.5 4.5M20 5v14",
  join: "M3 12h7M7 8.5l3.5 3.5L7 15.5M21 12h-7M17 8.5L13.5 12l3.5 3.5",
  back: "M9 6l-5 5 5 5M4 11h9.5a5.5 5.5 0 0 1 5.5 5.5V19",
  people:
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.4-3.2 3-5 6.5-5s6.1 1.8 6.5 5M16 4.8a3.3 3.3 0 0 1 0 6.4M18 14.9c2 .7 3.3 2.3 3.5 4.6",
  invite: "M10 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 19.5c.4-3.2 3.3-5 7-5 1.2 0 2.3.2 3.3.6M18 13.5v6M15 16.5h6",
  out: "M10 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 19.5c.4-3.2 3.3-5 7-5 1.2 0 2.3.2 3.3.6M15.5 14.5l4.5 4.5M20 14.5L15.5 19",
  chat: "M5 5h14a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 19 16h-7.5L7 19.8V16H5a1.5 1.5 0 0 1-1.5-1.5v-8A1.5 1.5 0 0 1 5 5z",
  listen:
    "M4.5 17v-4a7.5 7.5 0 0 1 15 0v4M4.5 14h2A1.5 1.5 0 0 1 8 15.5v3A1.5 1.5 0 0 1 6.5 20a2 2 0 0 1-2-2zM19.5 14h-2a1.5 1.5 0 0 0-1.5 1.5v3a1.5 1.5 0 0 0 1.5 1.5 2 2 0 0 0 2-2z",
  intercom: "M4 9.5v5h3.5l5 4v-13l-5 4zM16 9a4.2 4.2 0 0 1 0 6M18.5 6.5a7.8 7.8 0 0 1 0 11",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  check: "M5 12.5l4.5 4.5L19 7.5",
  down: "M7 10l5 5 5-5",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  help: "M9.2 9.2a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.2M12 17.3h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  incoming: "M18 6L7 17M7 9v8h8",
  outgoing: "M6 18L17 7M9 7h8v8",
  internal: "M4 9h15M15.5 5.5L19 9l-3.5 3.5M20 16H5M8.5 12.5L5 16l3.5 3.5",
  missed: "M20 7l-8 8-7-7M5 13V8h5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5V12l3 2",
  send: "M4.5 12L20 5l-4.5 15-3.5-6zM12 14l8-9",
  user: "M12 12a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.6zM4.5 20c.5-3.5 3.5-5.5 7.5-5.5s7 2 7.5 5.5",
  keys: "M4 6.5h16a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 16V8A1.5 1.5 0 0 1 4 6.5zM6 10h.01M9 10h.01M12 10h.01M15 10h.01M18 10h.01M7 14h10",
  add: "M12 5.5v13M5.5 12h13",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  list: "M8 7h12M8 12h12M8 17h12M4 7h.01M4 12h.01M4 17h.01",
};

const SVG = "http://www.w3.org/2000/svg";

/** The picture of this name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", DRAWN[name]);
  svg.append(path);
  return svg;
}
