/** The form: from files, pasted words or the example to predictions on the screen. */

import { predict, transcript } from "./api.js";
import { Chosen } from "./chosen.js";
import { Conversation } from "./conversation.js";
import { announce, byId } from "./dom.js";
import { EXAMPLE } from "./example.js";
import { Picker } from "./picker.js";
import { View } from "./view.js";
import { waited } from "./waiting.js";

/** The form and what it has led to. */
export class Asking {
  /**
   * @param {object} model As GET /v1/model says it.
   * @param {(error: Error) => Promise<boolean>} mended Called when the service refuses: whether to ask again.
   */
  constructor(model, mended) {
    [this.model, this.mended, this.busy] = [model, mended, false];
    this.shown = null; // a View, or a Picker with several
    this.chosen = new Chosen((message) => this.fail(message));
    this.listens = Object.values(model.modalities).some((modality) => modality.recorded && modality.available);
    if (!this.listens) byId("recording-hint").textContent = "to listen to; this model reads words alone";
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("example").addEventListener("click", () => this.ask(EXAMPLE, null));
    byId("clear").addEventListener("click", () => (this.chosen.clear(), (byId("pasted").value = ""), this.fail("")));
  }

  submit() {
    const { transcript: file, recording } = this.chosen.files;
    const pasted = byId("pasted").value;
    if (file && pasted.trim())
      return this.fail("There is a transcript file and a pasted transcript. Clear one of them.");
    const words = file ?? (pasted.trim() ? new File([pasted], "pasted.txt", { type: "text/plain" }) : null);
    if (!words && !(recording && this.listens))
      return this.fail("Choose a transcript, or paste one, or press Example.");
    const form = new FormData();
    if (words) form.append("transcript", words, words.name);
    if (recording && this.listens) form.append("media", recording, recording.name);
    return this.ask(form, recording);
  }

  /** Ask and show. */
  ask(body, recording) {
    if (this.busy || !this.leave()) return null;
    const file = body instanceof FormData ? body.get("transcript") : null;
    return this.work(async () => {
      const read = file && (await this.answer((_, signal) => transcript(file, signal)));
      if (read?.conversations.length > 1) return this.pick(file, read, recording);
      const { predictions, notes, missing } = await this.answer((told, signal) => predict(body, told, signal));
      const conversation = new Conversation(predictions[0].conversation, this.model.labels, predictions, missing);
      return this.show(new View(conversation, { notes, recording }));
    });
  }

  /** Show the conversations of a file, and the first one; with a recording, it is asked which one it belongs to. */
  async pick(file, read, recording) {
    const picker = new Picker(file.name.replace(/\.[^.]*$/, ""), read, this.model.labels, {
      recording,
      sent: this.listens,
      answer: (work) => this.answer(work),
      work: (action) => (this.busy ? null : this.work(action)),
    });
    this.show(picker);
    if (!recording) await picker.recognise(0);
  }

  /** Do something that takes a while; an error is shown where the answer would be. */
  async work(action) {
    this.fail("");
    this.busy = true;
    const buttons = () => document.querySelectorAll("#ask button, .picker :is(button, select)");
    for (const button of buttons()) button.disabled = true;
    try {
      await action();
    } catch (error) {
      if (error.code !== "cancelled") this.fail(error.message);
      else announce("Cancelled");
    } finally {
      this.busy = false;
      for (const button of buttons()) button.disabled = false;
      this.shown?.write();
    }
  }

  /** What the service answers, once the token is there. */
  async answer(work) {
    try {
      return await waited(work);
    } catch (error) {
      if (await this.mended(error)) return this.answer(work);
      throw error;
    }
  }

  show(view) {
    this.shown?.end();
    this.shown = view;
    byId("found").replaceChildren(view.element);
    byId("input").open = false;
    view.title.focus();
    view.element.scrollIntoView({ block: "start" });
  }

  /** Whether what is there may go. */
  leave() {
    return !this.unsaved || confirm("What you corrected or confirmed is not saved. Discard it?");
  }

  get unsaved() {
    return this.shown?.unsaved ?? false;
  }

  fail(message) {
    const error = byId("error");
    error.textContent = message;
    error.hidden = !message;
    if (message) error.focus();
  }
}
