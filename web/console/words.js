/** What the console says, in the chosen language. Each table is `{key: [english, russian]}`. */

import { language } from "./choice.js";
import { frame } from "./words/frame.js";
import { links } from "./words/links.js";
import { people } from "./words/people.js";
import { system } from "./words/system.js";
import { work } from "./words/work.js";

/** All words. */
export const table = { ...frame, ...links, ...people, ...work, ...system };

/** The words of a key, with `{name}` replaced by values. */
export function say(key, values = {}) {
  const words = table[key]?.[language.value === "ru" ? 1 : 0] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The words of a key, or what is given when the table has none: for words that the gateway may add to. */
export const sayOr = (key, otherwise, values) => (key in table ? say(key, values) : otherwise);

/** The field of this name in the chosen language, as the gateway gives both: `text_en` and `text_ru`. */
export const either = (object, name) =>
  object?.[`${name}_${language.value}`] || object?.[`${name}_en`] || object?.[name] || "";
