/** How much each modality weighed, as a bar; modalities differ in their pattern, and numbers stand elsewhere, too. */

import { h } from "./dom.js";
import { percent } from "./format.js";

const PATTERNS = 4;

/** A bar of an utterance's weights; null where the model weighs nothing, or has one modality. */
export function weightBar(weights) {
  const parts = Object.entries(weights);
  if (parts.length < 2) return null;
  const bar = h("span", { class: "weights", "aria-hidden": "true" });
  parts.forEach(([, weight], place) => {
    const part = h("span", { class: `weight modality-${place % PATTERNS}` });
    part.style.flexGrow = String(weight);
    bar.append(part);
  });
  return bar;
}

/** The weights in words: text 62%, audio 38%. */
export function weightWords(weights) {
  return Object.entries(weights)
    .map(([modality, weight]) => `${modality} ${percent(weight)}`)
    .join(", ");
}

/** What the patterns mean. */
export function weightLegend(modalities) {
  if (modalities.length < 2) return null;
  const one = (modality, place) =>
    h(
      "span",
      { class: "legend-item" },
      h("span", { class: `weight modality-${place % PATTERNS}`, "aria-hidden": "true" }),
      " ",
      modality,
    );
  return h("p", { class: "legend faint" }, "Weight of ", ...modalities.map(one));
}
