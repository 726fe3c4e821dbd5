/** The conversations of one file: shown one at a time, predicted on demand, saved together. */

import { predict } from "./api.js";
import { Conversation } from "./conversation.js";
import { announce, h } from "./dom.js";
import { fileName, FORMATS, save } from "./exports.js";
import { count } from "./format.js";
import { noteList, View } from "./view.js";

/** Notes that repeat the notes of the file. */
const AGAIN = /^conversation: /;

/** The element is `element`. */
export class Picker {
  /**
   * @param {string} name The name of the file.
   * @param {{conversations: object[], notes: string[]}} read The response of POST /v1/transcript.
   * @param {string[]} labels The labels of the model.
   * @param {object} more `recording`: the recording of the conversation that is chosen first; `sent`: whether the model
   *   uses it; `answer`: runs a request with its progress; `work`: runs an action, unless another one is running.
   */
  constructor(name, { conversations, notes }, labels, more) {
    Object.assign(this, { name, labels, more, current: null });
    this.entries = conversations.map((given) => ({ given, conversation: null, view: null, problem: "" }));
    this.title = h("h2", { tabindex: -1 }, name);
    this.select = h(
      "select",
      { onchange: () => this.choose(this.select.selectedIndex) },
      ...conversations.map(({ id, utterances }) => h("option", {}, `${id} (${count(utterances.length, "utterance")})`)),
    );
    if (more.recording) this.select.selectedIndex = -1;
    const step = (words, by, sign) =>
      h("button", { type: "button", onclick: () => this.choose(this.current + by), "aria-label": words }, sign);
    [this.before, this.after] = [step("Previous conversation", -1, "‹"), step("Next conversation", 1, "›")];
    this.all = h("button", { type: "button", onclick: () => more.work(() => this.recogniseAll()) }, "Recognise all");
    this.state = h("span", { class: "faint" });
    [this.refused, this.place] = [h("div"), h("div")];
    const hint = `Choose the conversation that the recording ${more.recording?.name} belongs to.`;
    this.hint = more.recording && h("p", {}, hint);
    this.element = h(
      "section",
      {},
      h("div", { class: "view-head" }, this.title, noteList(notes)),
      h(
        "div",
        { class: "picker group", role: "group", "aria-label": "Conversations of the file" },
        h("label", {}, "Conversation ", this.select),
        this.before,
        this.after,
        this.all,
        this.state,
      ),
      this.hint,
      this.refused,
      this.place,
    );
    this.write();
  }

  /** Show a conversation; predict its emotions first if necessary. */
  choose(place) {
    return this.entries[place].conversation ? this.open(place) : this.more.work(() => this.recognise(place));
  }

  /** Recognise the emotions of a conversation, and show it. */
  async recognise(place) {
    try {
      await this.more.answer((onProgress, signal) => this.predict(this.entries[place], onProgress, signal));
      this.open(place);
    } finally {
      this.select.selectedIndex = this.current ?? -1;
    }
  }

  /** Predict all other conversations; those that the service refuses are listed. */
  async recogniseAll() {
    const left = this.entries.filter(({ conversation, problem }) => !conversation && !problem);
    if (!left.length) return;
    await this.more.answer(async (onProgress, signal) => {
      for (const [done, entry] of left.entries()) {
        if (entry.conversation) continue; // predicted before the token was requested
        onProgress({ stage: "conversations", done, total: left.length });
        try {
          await this.predict(entry, () => {}, signal);
        } catch (error) {
          if (error.status !== 413 && error.status !== 422) throw error;
          entry.problem = error.message;
        }
      }
    });
  }

  async predict(entry, onProgress, signal) {
    const { recording, sent } = this.more;
    const own = this.hint && entry === this.entries[this.select.selectedIndex] ? recording : null;
    let body = entry.given;
    if (own && sent) {
      body = new FormData();
      body.append("conversation", JSON.stringify(entry.given));
      body.append("media", own, own.name);
    }
    const { predictions, notes, missing } = await predict(body, onProgress, signal);
    entry.conversation = new Conversation(entry.given.id, this.labels, predictions, missing);
    [entry.notes, entry.recording, entry.problem] = [notes.filter((note) => !AGAIN.test(note)), own, ""];
  }

  open(place) {
    if (this.current !== null) this.entries[this.current].view.player.media?.pause();
    this.hint?.remove();
    this.hint = null;
    this.current = this.select.selectedIndex = place;
    const entry = this.entries[place];
    const saveAll = (suffix) => this.more.work(() => this.save(suffix));
    entry.view ??= new View(entry.conversation, { notes: entry.notes, recording: entry.recording, saveAll });
    const { view } = entry;
    this.place.replaceChildren(view.element);
    view.title.focus();
    this.write();
  }

  /** Save all conversations in one file; predict the other ones first. */
  async save(suffix) {
    await this.recogniseAll();
    const { write, type, name } = FORMATS[suffix];
    save(fileName(this.name, suffix), write(this.entries.flatMap(itemsOf)), type);
    for (const { conversation } of this.entries) conversation?.saved();
    announce(`Saved ${count(this.entries.length, "conversation")} as ${name}`);
  }

  write() {
    const known = this.entries.filter(({ conversation }) => conversation).length;
    const problems = this.entries.filter(({ problem }) => problem);
    this.state.textContent = `${known} of ${count(this.entries.length, "conversation")} recognised`;
    this.refused.replaceChildren(
      ...problems.map(({ given, problem }) => h("p", { class: "faint" }, `${given.id}: skipped. ${problem}`)),
    );
    this.all.hidden = known + problems.length === this.entries.length || this.hint !== null;
    this.before.disabled = !this.current;
    this.after.disabled = this.current === null || this.current === this.entries.length - 1;
    if (this.current !== null) this.entries[this.current].view.write();
  }

  get unsaved() {
    return this.entries.some(({ conversation }) => conversation?.unsaved);
  }

  /** Release the recording. */
  end() {
    for (const { view } of this.entries) view?.end();
  }
}

/** The utterances of a conversation, with or without predictions. */
function itemsOf({ given, conversation }) {
  if (conversation) return conversation.items;
  const records = given.utterances.map(({ id, ...said }) => ({ conversation: given.id, utterance: id, ...said }));
  return new Conversation(given.id, [], records).items;
}
