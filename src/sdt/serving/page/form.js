/** The form: predicts the emotions of files, of a pasted transcript, or of the example, and shows them. */

import { predict, transcript } from "./api.js";
import { FileInputs } from "./files.js";
import { Conversation } from "./conversation.js";
import { announce, byId } from "./dom.js";
import { EXAMPLE } from "./example.js";
import { Picker } from "./picker.js";
import { View } from "./view.js";
import { withProgress } from "./progress.js";

/** The form and its result. */
export class PredictForm {
  /**
   * @param {object} model The response of GET /v1/model.
   * @param {(error: Error) => Promise<boolean>} authorised Called with an error; returns whether to try again.
   */
  constructor(model, authorised) {
    [this.model, this.authorised, this.busy] = [model, authorised, false];
    this.shown = null; // a View, or a Picker for several conversations
    this.inputs = new FileInputs((message) => this.fail(message));
    this.listens = Object.values(model.modalities).some((modality) => modality.recorded && modality.available);
    if (!this.listens) byId("recording-hint").textContent = "For playback only: this model does not use audio or video.";
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("example").addEventListener("click", () => this.ask(EXAMPLE, null));
    byId("clear").addEventListener("click", () => (this.inputs.clear(), (byId("pasted").value = ""), this.fail("")));
  }

  submit() {
    const { transcript: file, recording } = this.inputs.files;
    const pasted = byId("pasted").value;
    if (file && pasted.trim())
      return this.fail("Both a transcript file and a pasted transcript are given. Clear one of them.");
    const words = file ?? (pasted.trim() ? new File([pasted], "pasted.txt", { type: "text/plain" }) : null);
    if (!words && !(recording && this.listens))
      return this.fail("Choose or paste a transcript, or load the example.");
    const form = new FormData();
    if (words) form.append("transcript", words, words.name);
    if (recording && this.listens) form.append("media", recording, recording.name);
    return this.ask(form, recording);
  }

  /** Predict a conversation and show it. */
  ask(body, recording) {
    if (this.busy || !this.leave()) return null;
    const file = body instanceof FormData ? body.get("transcript") : null;
    return this.work(async () => {
      const read = file && (await this.answer((_, signal) => transcript(file, signal)));
      if (read?.conversations.length > 1) return this.pick(file, read, recording);
      const { predictions, notes, missing } = await this.answer((onProgress, signal) => predict(body, onProgress, signal));
      const conversation = new Conversation(predictions[0].conversation, this.model.labels, predictions, missing);
      return this.show(new View(conversation, { notes, recording }));
    });
  }

  /** Show the conversations of a file; with a recording, the user first chooses the conversation it belongs to. */
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

  /** Run an action with the buttons disabled; an error is shown instead of its result. */
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

  /** Run a request with its progress; asks for the token if the service needs it. */
  async answer(work) {
    try {
      return await withProgress(work);
    } catch (error) {
      if (await this.authorised(error)) return this.answer(work);
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

  /** Whether the current result may be replaced. */
  leave() {
    return !this.unsaved || confirm("Your corrections and confirmations are not saved. Discard them?");
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
