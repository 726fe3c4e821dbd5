/** The editor of an utterance: its text, speaker and times; splits and merges it. */

import { announce, h } from "./dom.js";
import { merge, respeak, retext, retime, split } from "./edits.js";

let made = 0;

/** The element is `element`; it shows the item of `show`. */
export class Editor {
  /** @param {import("./conversation.js").Conversation} conversation */
  constructor(conversation) {
    [this.conversation, this.item] = [conversation, null];
    const id = `editor-${(made += 1)}`;
    this.text = h("textarea", { rows: 3, spellcheck: "true", onchange: () => this.replace(retext(this.item, this.text.value)) });
    this.speaker = h("input", { list: `${id}-speakers`, autocomplete: "off", maxlength: 200 });
    this.speakers = h("datalist", { id: `${id}-speakers` });
    this.speaker.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), this.respeak()));
    const time = () => h("input", { type: "number", min: 0, step: 0.1, onchange: () => this.retime() });
    [this.start, this.end] = [time(), time()];
    const button = (words, onclick, title) => h("button", { type: "button", onclick, title }, words);
    const cut = button("Split at the cursor", () => this.split(), "Put the cursor into the text where the second utterance begins");
    this.merger = button("Merge with the next", () => this.merge());
    this.element = h(
      "details",
      { class: "editor" },
      h("summary", {}, "Edit"),
      h("label", {}, "Text ", this.text),
      h("p", { class: "row" }, cut, this.merger),
      h("label", {}, "Speaker ", this.speaker, this.speakers),
      h(
        "p",
        { class: "row" },
        button("Set here", () => this.respeak(), "Only this utterance"),
        button("Rename everywhere", () => this.rename(), "All utterances of this speaker"),
      ),
      h("p", { class: "row" }, h("label", {}, "Start (s) ", this.start), h("label", {}, "End (s) ", this.end)),
    );
  }

  /** Show an utterance; a field that is being edited keeps its content. */
  show(item) {
    const again = item.id === this.item?.id;
    this.item = item;
    const write = (field, value) => {
      const text = String(value ?? "");
      if (field.value !== text && !(again && field === document.activeElement)) field.value = text;
    };
    write(this.text, item.text);
    write(this.speaker, item.speaker);
    write(this.start, item.start);
    write(this.end, item.end);
    this.speakers.replaceChildren(...this.conversation.speakers.map((name) => h("option", { value: name })));
    this.merger.disabled = item.place + 1 >= this.conversation.items.length;
  }

  replace(records, count = 1) {
    if (!records) return;
    const [first] = this.conversation.edit(this.item.place, count, records);
    this.conversation.look(first);
  }

  respeak() {
    this.replace(respeak(this.item, this.speaker.value.trim()));
  }

  rename() {
    const name = this.speaker.value.trim();
    if (!name || name === this.item.speaker) return;
    announce(`${this.item.speaker} is now ${name}`);
    this.conversation.rename(this.item.speaker, name);
  }

  retime() {
    this.replace(retime(this.item, Number.parseFloat(this.start.value), Number.parseFloat(this.end.value)));
  }

  split() {
    const taken = new Set(this.conversation.items.map((item) => item.id));
    const records = split(this.item, this.text.selectionStart, (id) => taken.has(id));
    if (!records) return void announce("Put the cursor into the text where the second utterance begins.");
    this.replace(records);
  }

  merge() {
    this.replace(merge(this.item, this.conversation.items[this.item.place + 1]), 2);
  }
}
