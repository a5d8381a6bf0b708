/** What this browser has chosen for itself: language and theme. Kept, and seen at once by all that shows either. */

import { effect, signal } from "@preact/signals";

const LANGUAGE = "ctigate.language"; // shared with the other pages
const THEME = "ctigate.theme";
const LANGUAGES = ["ru", "en"];
const THEMES = ["system", "light", "dark"];

const kept = (key, known) => known.find((one) => one === localStorage.getItem(key));

/** `ru` or `en`: the chosen one, else the browser's first that is either. */
export const language = signal(
  kept(LANGUAGE, LANGUAGES) ??
    navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag)) ??
    "en",
);

/** `system`, `light` or `dark`. */
export const theme = signal(kept(THEME, THEMES) ?? "system");

/** Goes up when the colours may have changed: by the choice here, or by the system's. */
export const colours = signal(0);

effect(() => {
  document.documentElement.lang = language.value;
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
  colours.value = colours.peek() + 1;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours.value = colours.peek() + 1;
});

export function chooseLanguage(one) {
  localStorage.setItem(LANGUAGE, one);
  language.value = one;
}

export function chooseTheme(one) {
  localStorage.setItem(THEME, one);
  theme.value = one;
}

/** The theme that comes after the present one, in a circle. */
export const nextTheme = () => THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
