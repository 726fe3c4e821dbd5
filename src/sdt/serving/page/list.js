/** The list: a table with a row for each utterance. */

import { h } from "./dom.js";
import { shownEmotion, statusOf } from "./conversation.js";
import { emotionParts } from "./emotion.js";
import { spoken, stretch, weightWords } from "./format.js";
import { paint } from "./palette.js";
import { weightBar } from "./weights.js";
import { wordElements } from "./words.js";

/** The table is `element`; it follows the conversation. */
export class List {
  /** See Timeline. */
  constructor(conversation, colour) {
    [this.conversation, this.colour] = [conversation, colour];
    this.rows = []; // of the items, by place
    this.body = h("tbody", { role: "rowgroup" });
    // Explicit roles: screen readers would not see a table that is laid out as cards on a narrow screen.
    const head = ["No.", "Time", "Speaker", "Text", "Emotion", "Weights"].map((name) =>
      h("th", { scope: "col", role: "columnheader" }, name),
    );
    this.element = h(
      "table",
      { class: "list", role: "table" },
      h("caption", { class: "unseen" }, "Utterances"),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...head)),
      this.body,
    );
    conversation.items.forEach((item) => this.add(item));
    this.filter();
    conversation.addEventListener("added", (event) => (this.add(event.detail), this.filter()));
    conversation.addEventListener("label", (event) => (this.write(event.detail), this.filter()));
    conversation.addEventListener("filter", () => this.filter());
    conversation.addEventListener("current", () => this.mark());
    conversation.addEventListener("rebuilt", () => this.rebuild());
  }

  /** The button of an utterance. */
  of(item) {
    return this.rows[item.place].querySelector("button");
  }

  /** Write all utterances again. */
  rebuild() {
    this.rows = [];
    this.body.replaceChildren();
    this.conversation.items.forEach((item) => this.add(item));
    this.filter();
  }

  add(item) {
    const row = h("tr", { class: "painted", role: "row", "data-place": item.place });
    this.rows.push(row);
    this.body.append(row);
    this.write(item);
  }

  write(item) {
    const row = this.rows[item.place];
    const button =
      row.querySelector("button") ??
      h("button", { type: "button", class: "number", tabindex: -1, "data-place": item.place }, item.place + 1);
    button.setAttribute("aria-label", spoken(item));
    const cell = (name, ...children) => h("td", { class: name, role: "cell" }, ...children);
    const weights = weightBar(item.weights);
    const cells = [
      cell("number", button),
      cell("time", stretch(item)),
      cell("speaker", item.speaker),
      cell("words", ...(item.text === null ? [h("i", {}, "no text")] : wordElements(item))),
      cell("emotion", h("span", { class: "badge" }, ...emotionParts(item))),
      cell("weighed", weights && weightWords(item.weights), weights),
    ];
    row.replaceChildren(...cells);
    for (const status of ["corrected", "confirmed"]) row.classList.toggle(status, statusOf(item) === status);
    paint(row, this.colour(shownEmotion(item)));
  }

  filter() {
    for (const item of this.conversation.items) this.rows[item.place].hidden = !this.conversation.shows(item);
    this.mark();
  }

  mark() {
    const { current, shown } = this.conversation;
    const reached = current && this.conversation.shows(current) ? current : shown[0];
    for (const button of this.body.querySelectorAll("[tabindex='0']")) button.tabIndex = -1;
    for (const row of this.body.querySelectorAll("[aria-current]")) row.removeAttribute("aria-current");
    if (reached) this.of(reached).tabIndex = 0;
    if (current) this.rows[current.place].setAttribute("aria-current", "true");
  }
}
