/** The weights of the modalities as a bar with a pattern for each; the numbers are in the details. */

import { h } from "./dom.js";

const PATTERNS = 4;

/** A bar of an utterance's weights; null if it has no modality, or if the model has only one or no weights. */
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

/** The legend of the patterns. */
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
  return h("p", { class: "legend faint" }, "Weights: ", ...modalities.map(one));
}
