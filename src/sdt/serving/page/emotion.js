/** The emotion of an utterance in a box or a row. */

import { statusOf } from "./conversation.js";
import { h } from "./dom.js";
import { NOTHING, percent, STATUS } from "./format.js";

/** The mark before a label, by its origin. */
export const MARKS = { corrected: "✎", confirmed: "✓", given: "¶" };

/** The label with its mark, and the predicted emotion with its probability. */
export function emotionParts(item) {
  const status = statusOf(item);
  if (!status && item.emotion === null) return [h("span", { title: NOTHING }, "–")];
  const name = h("b", {}, status && `${MARKS[status]}\u202f`, item.label ?? item.emotion);
  if (item.emotion === null) return [name];
  if (!status || item.label === item.emotion) return [name, " ", percent(item.probability)];
  const model = `${item.emotion} ${percent(item.probability)}`;
  return [name, " ", h(status === "corrected" ? "s" : "span", { class: "model" }, model)];
}

/** The legend of the marks. */
export function markLegend() {
  const one = (status) => h("span", { class: "legend-item" }, `${MARKS[status]} ${STATUS[status]}`);
  return h("p", { class: "legend faint" }, "Labels: ", ...Object.keys(MARKS).map(one));
}
