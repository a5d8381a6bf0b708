/** Templates that make elements: what stands in `${…}` becomes text or a property, never markup. */

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
