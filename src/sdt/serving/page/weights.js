/** How much each modality weighed, as a bar; modalities differ in their pattern, and numbers stand elsewhere, too. */

import { h } from "./dom.js";

const PATTERNS = 4;

/** A bar of an utterance's weights; null where it has no modality, or the model has one alone or weighs nothing. */
export function weightBar(weights) {
  const parts = Object.values(weights);
  if (parts.length < 2 || !parts.some(Boolean)) return null;
  const bar = h("span", { class: "weights", "aria-hidden": "true" });
  parts.forEach((weight, place) => {
    if (!weight) return;
    const part = h("span", { class: `weight modality-${place % PATTERNS}` });
    part.style.flexGrow = String(weight);
    bar.append(part);
  });
  return bar;
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
