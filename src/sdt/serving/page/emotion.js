/** The emotion of an utterance as a box or a row shows it. */

import { statusOf } from "./conversation.js";
import { h } from "./dom.js";
import { NOTHING, percent, STATUS } from "./format.js";

/** Stands before a label, by where it comes from. */
export const MARKS = { corrected: "✎", confirmed: "✓", given: "¶" };

/** The nodes: the label with its mark, and the model's emotion with its probability. */
export function emotionParts(item) {
  const status = statusOf(item);
  if (!status && item.emotion === null) return [h("span", { title: NOTHING }, "–")];
  const name = h("b", {}, status && `${MARKS[status]}\u202f`, item.label ?? item.emotion);
  if (item.emotion === null) return [name];
  if (!status || item.label === item.emotion) return [name, " ", percent(item.probability)];
  const model = `${item.emotion} ${percent(item.probability)}`;
  return [name, " ", h(status === "corrected" ? "s" : "span", { class: "model" }, model)];
}

/** What the marks mean. */
export function markLegend() {
  const one = (status) => h("span", { class: "legend-item" }, `${MARKS[status]} ${STATUS[status]}`);
  return h("p", { class: "legend faint" }, "Labels: ", ...Object.keys(MARKS).map(one));
}
