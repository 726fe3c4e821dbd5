/** One utterance: its text, its part of the recording, its label, and the probabilities of all classifiers. */

import { h } from "./dom.js";
import { shownEmotion, statusOf } from "./conversation.js";
import { MARKS } from "./emotion.js";
import { count, NOTHING, percent, STATUS, stretch } from "./format.js";
import { paint } from "./palette.js";
import { weightBar } from "./weights.js";
import { wordElements } from "./words.js";

let made = 0;

/** The panel is `element`; it follows the conversation. */
export class Details {
  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {(label: string) => object} colour See palette.js.
   * @param {import("./player.js").Player} player
   * @param {{close: () => void, step: (step: number) => void, relabel: (label: string) => void, unreview: () => void}}
   *   actions
   * @param {import("./editor.js").Editor | null} editor
   */
  constructor(conversation, colour, player, actions, editor = null) {
    Object.assign(this, { conversation, colour, player, actions, editor, id: `details-${(made += 1)}` });
    this.title = h("h3", { id: this.id, tabindex: -1 });
    this.before = h(
      "button",
      { type: "button", onclick: () => actions.step(-1), "aria-label": "Previous utterance", title: "←" },
      "‹",
    );
    this.after = h(
      "button",
      { type: "button", onclick: () => actions.step(1), "aria-label": "Next utterance", title: "→" },
      "›",
    );
    const close = h(
      "button",
      { type: "button", class: "close", onclick: actions.close, "aria-label": "Close details", title: "Escape" },
      "×",
    );
    // The player stays in place: moving it within the page stops the playback.
    [this.about, this.opinions] = [h("div"), h("div")];
    this.content = h("div", { class: "details-content" }, this.about, player.element, editor?.element ?? "", this.opinions);
    this.head = h("div", { class: "details-head" }, this.title, this.before, this.after, close);
    this.hint = h(
      "p",
      { class: "faint hint" },
      "Choose an utterance to see its prediction, to play it, and to confirm or correct its emotion.",
    );
    this.element = h("aside", { class: "details", "aria-labelledby": this.id }, this.head, this.content, this.hint);
    for (const what of ["current", "label", "filter", "rebuilt"]) conversation.addEventListener(what, () => this.draw());
    this.draw();
  }

  draw() {
    const { conversation, title, content, hint, head } = this;
    const item = conversation.current;
    this.element.classList.toggle("empty", !item);
    head.hidden = content.hidden = !item;
    hint.hidden = Boolean(item);
    if (!item) return;
    title.textContent = `${item.place + 1}. ${item.speaker}`;
    [this.before.disabled, this.after.disabled] = [!conversation.beside(-1), !conversation.beside(1)];
    this.player.show(item);
    this.editor?.show(item);
    const when = stretch(item);
    const held = this.about.contains(document.activeElement) && document.activeElement;
    const place = `${item.place + 1} of ${count(conversation.items.length, "utterance")}`;
    this.about.replaceChildren(
      h("p", { class: "quote" }, ...wordElements(item, this.player.media && ((word) => this.player.playRange(word.start, word.end)))),
      h("p", { class: "faint" }, when && `${when} · `, place),
      this.chooser(item),
    );
    this.opinions.replaceChildren(
      h("h4", {}, "Prediction"),
      item.emotion === null ? h("p", {}, sentence(NOTHING)) : this.table(item),
      ...lacking(item),
    );
    // The focused button may be removed; on the title, the keyboard shortcuts work.
    if (held) (held.matches("select") ? this.about.querySelector("select") : title).focus({ preventScroll: true });
  }

  /** The emotion, with controls to confirm or correct it. */
  chooser(item) {
    const id = `${this.id}-label`;
    const [shown, status] = [shownEmotion(item), statusOf(item)];
    const option = (label) =>
      h(
        "option",
        { value: label, selected: label === shown },
        label === item.emotion ? `${label} (predicted)` : label,
      );
    const select = h(
      "select",
      { id, onchange: (event) => this.actions.relabel(event.target.value) },
      shown === null && h("option", { value: "", selected: true, disabled: true }, "Choose …"),
      ...this.conversation.labels.map(option),
    );
    const confirm = h(
      "button",
      { type: "button", title: "The prediction is right (C)", onclick: () => this.actions.relabel(item.emotion) },
      `✓ Confirm ${item.emotion}`,
    );
    const remove = h("button", { type: "button", onclick: this.actions.unreview }, "Remove label");
    const chooser = h(
      "div",
      { class: "chooser painted" },
      h("label", { for: id }, "Emotion"),
      select,
      item.emotion !== null && status !== "confirmed" && confirm,
      status && h("span", { class: "status-mark" }, `${MARKS[status]} ${STATUS[status]}`),
      item.review && remove,
      item.given !== null &&
        item.review !== null &&
        h("span", { class: "faint" }, `Label in the transcript: ${item.given}`),
    );
    paint(chooser, this.colour(shown));
    return chooser;
  }

  /** The probabilities of the fused prediction and of each modality's classifier, with the fusion weights. */
  table(item) {
    const branches = Object.entries(item.branches);
    const absent = (modality) => !item.branches[modality] || (modality in item.weights && !item.weights[modality]);
    const head = branches.map(([modality]) => {
      const weight = item.weights[modality];
      const weighs = absent(modality) ? "missing" : weight && `weight ${percent(weight)}`;
      return h("th", { scope: "col" }, modality, weighs && h("span", { class: "faint" }, weighs));
    });
    const rows = this.conversation.labels
      .filter((label) => label in item.probabilities)
      .map((label, place) => {
        const key =
          place < 10 &&
          h("kbd", { title: `Press ${(place + 1) % 10} to label as ${label}` }, (place + 1) % 10);
        const own = branches.map(([modality, probabilities]) =>
          h("td", {}, absent(modality) ? "–" : bar(probabilities[label] ?? 0, top(probabilities) === label)),
        );
        const row = h(
          "tr",
          { class: "painted" },
          h("th", { scope: "row" }, key, " ", label),
          h("td", { class: "whole" }, bar(item.probabilities[label], label === item.emotion)),
          ...own,
        );
        paint(row, this.colour(label));
        return row;
      });
    const whole = h("th", { scope: "col" }, branches.length ? "fused" : "probability");
    const table = h(
      "table",
      { class: "opinions" },
      h("thead", {}, h("tr", {}, h("td"), whole, ...head)),
      h("tbody", {}, ...rows),
    );
    return h("div", { class: "scroll" }, table, weightBar(item.weights));
  }
}

/** Why modalities are missing, a paragraph each. */
function lacking(item) {
  return Object.entries(item.missing).map(([modality, reason]) =>
    h("p", { class: "faint" }, `No ${modality}: ${reason}.`),
  );
}

function sentence(words) {
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}

/** A percentage with a bar; the highest of its column is bold. */
function bar(share, highest) {
  const filled = h("span", { class: "fill" });
  filled.style.width = `${100 * share}%`;
  return h(
    "span",
    { class: highest ? "bar highest" : "bar" },
    percent(share),
    h("span", { class: "groove", "aria-hidden": "true" }, filled),
  );
}

function top(probabilities) {
  return Object.keys(probabilities).reduce((best, label) => (probabilities[label] > probabilities[best] ? label : best));
}
