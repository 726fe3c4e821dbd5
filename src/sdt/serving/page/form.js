/** The form: predicts the emotions of files, of a pasted transcript, or of the example, and shows them. */

import { predict, transcript } from "./api.js";
import { FileInputs } from "./files.js";
import { Conversation } from "./conversation.js";
import { announce, byId, h } from "./dom.js";
import { EXAMPLE } from "./example.js";
import { Picker } from "./picker.js";
import { View } from "./view.js";
import { withProgress } from "./progress.js";
import { recordButton } from "./record.js";
import { Repredict } from "./repredict.js";
import { savedAnnotators } from "./exports.js";

/** Common encodings of transcripts that are not Unicode. */
const ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "cp949", "mac_roman"];

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
    this.transcribes = Boolean(model.transcriber);
    byId("speech-options").hidden = !this.transcribes;
    if (this.transcribes) recordButton((file) => this.inputs.take("recording", file, true), (message) => this.fail(message));
    if (!this.listens && !this.transcribes) byId("recording-hint").textContent = "For playback only: this model does not use audio or video.";
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("example").addEventListener("click", () => this.ask(EXAMPLE, null));
    byId("clear").addEventListener("click", () => this.clear());
  }

  clear() {
    this.inputs.clear();
    byId("pasted").value = byId("encoding").value = "";
    byId("encoding-choice").hidden = true;
    byId("speakers").value = byId("language").value = "";
    byId("channels").value = "mix";
    this.fail("");
  }

  submit() {
    const { transcript: file, recording } = this.inputs.files;
    const pasted = byId("pasted").value;
    if (file && pasted.trim())
      return this.fail("Both a transcript file and a pasted transcript are given. Clear one of them.");
    const words = file ?? (pasted.trim() ? new File([pasted], "pasted.txt", { type: "text/plain" }) : null);
    if (!words && !(recording && this.transcribes))
      return this.fail(
        this.transcribes
          ? "Choose a recording or a transcript, or load the example."
          : "Choose or paste a transcript, or load the example. This service does not recognise the words of recordings.",
      );
    const form = new FormData();
    if (words) form.append("transcript", words, words.name);
    if (words && byId("encoding").value) form.append("encoding", byId("encoding").value);
    if (recording && (this.listens || !words)) form.append("media", recording, recording.name);
    if (!words)
      for (const part of ["speakers", "language", "channels"])
        if (byId(part).value.trim()) form.append(part, byId(part).value.trim());
    return this.ask(form, recording);
  }

  /** Predict a conversation and show it. */
  ask(body, recording) {
    if (this.busy || !this.leave()) return null;
    const file = body instanceof FormData ? body.get("transcript") : null;
    return this.work(async () => {
      const read = file && (await this.answer((_, signal) => transcript(file, signal, body.get("encoding"))));
      if (read?.conversations.length > 1) return this.pick(file, read, recording);
      const sent = recording && this.listens ? recording : null;
      const { predictions, notes, missing } = await this.answer((onProgress, signal) =>
        predict(body, onProgress, signal, { features: sent !== null }),
      );
      const saved = await savedAnnotators(file);
      const records = predictions.map((one) => ({ ...saved.get(`${one.conversation}/${one.utterance}`), ...one }));
      const conversation = new Conversation(predictions[0].conversation, this.model.labels, records, missing);
      const repredict = new Repredict(conversation, { recording: sent, limits: this.model.limits });
      return this.show(new View(conversation, { notes, recording, repredict }));
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
      if (error.code === "encoding") this.offerEncodings(error.details.map(({ message }) => message));
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
    view.timeline?.begin();
    view.element.scrollIntoView({ block: "start" });
  }

  /** Whether the current result may be replaced. */
  leave() {
    return !this.unsaved || confirm("Your corrections and confirmations are not saved. Discard them?");
  }

  get unsaved() {
    return this.shown?.unsaved ?? false;
  }

  /** Let the user choose the encoding of the transcript, the likely ones first. */
  offerEncodings(likely) {
    const names = [...new Set([...likely, ...ENCODINGS])];
    byId("encoding").replaceChildren(
      h("option", { value: "" }, "Detect"),
      ...names.map((name) => h("option", { value: name }, name)),
    );
    byId("encoding-choice").hidden = false;
  }

  fail(message) {
    const error = byId("error");
    error.textContent = message;
    error.hidden = !message;
    if (message) error.focus();
  }
}
