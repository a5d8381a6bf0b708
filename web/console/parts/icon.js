/** Pictures in the colour of the text around them. They say nothing to screen readers: what they stand beside does. */

import { html } from "../html.js";
import { DRAWN as SHARED } from "../../page/icons.js";

const DRAWN = {
  ...SHARED,
  overview: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  links: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  journal: "M6 3.5h12a1 1 0 0 1 1 1v16l-3-2-2 2-2-2-2 2-2-2-3 2v-16a1 1 0 0 1 1-1zM8.5 8h7M8.5 12h7",
  forms: "M5 4h14v16H5zM8 8h8M8 12h8M8 16h4",
  inspect: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.3 15.3L20.5 20.5",
  doctor: "M3.5 12.5h4l2-6 4 12 2.5-8 1.2 2h3.3",
  key: "M8 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11.5h8.5v3M17 11.5v2.5",
  settings:
    "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  audit: "M12 3.5l7 2.5v5.5c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V6zM8.8 12l2.3 2.3 4.2-4.5",
  logs: "M4 5h16v14H4zM7.5 9.5L10 12l-2.5 2.5M12 15h4.5",
  api: "M8 8l-4 4 4 4M16 8l4 4-4 4M13.5 5.5l-3 13",
  explain: "M9.5 18.5h5M10.2 21h3.6M8.7 15.5A6 6 0 1 1 15.3 15.5v.5H8.7z",
  menu: "M4 7h16M4 12h16M4 17h16",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6L7 7M17 17l1.4 1.4M5.6 18.4L7 17M17 7l1.4-1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  screen: "M3.5 5h17v11h-17zM9 20h6M12 16v4",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7",
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15",
  save: "M12 4v11M7.5 10.5L12 15l4.5-4.5M4.5 19.5h15",
  load: "M12 15V4M7.5 8.5L12 4l4.5 4.5M4.5 19.5h15",
  pause: "M9 6v12M15 6v12",
  next: "M9.5 6l6 6-6 6",
  before: "M14.5 6l-6 6 6 6",
  warn: "M12 4.5l8.5 15h-17zM12 10v4.5M12 17h.01",
  bad: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5v5.5M12 16.3h.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.7h.01",
  good: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12.3l2.7 2.7L16 9.5",
  exit: "M10 4.5H5v15h5M14 8l4 4-4 4M18 12H9.5",
  filter: "M4 6h16M7 12h10M10 18h4",
  record: "M12 17.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11z",
  in: "M12 4v13M6.5 12L12 17.5 17.5 12",
  outward: "M12 20V7M6.5 12L12 6.5 17.5 12",
  eye: "M2.5 12s3.5-6 9.5-6 9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6zM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  spark: "M13 3L5 13.5h6L10.5 21 19 10.5h-6z",
};

export function Icon({ name, size = 18 }) {
  return html`<svg class="icon icon-${name}" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true">
    <path d=${DRAWN[name] ?? DRAWN.info} />
  </svg>`;
}
