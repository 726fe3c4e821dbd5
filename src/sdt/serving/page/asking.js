/** The form: from files, pasted words or the example to predictions on the screen. */

import { predict } from "./api.js";
import { Chosen } from "./chosen.js";
import { Conversation } from "./conversation.js";
import { announce, byId } from "./dom.js";
import { EXAMPLE } from "./example.js";
import { View } from "./view.js";
import { waited } from "./waiting.js";

/** The form and what it has led to. */
export class Asking {
  /**
   * @param {object} model As GET /v1/model says it.
   * @param {(error: Error) => Promise<boolean>} mended Called when the service refuses: whether to ask again.
   */
  constructor(model, mended) {
    [this.model, this.mended, this.view, this.busy] = [model, mended, null, false];
    this.chosen = new Chosen((message) => this.fail(message));
    this.listens = Object.values(model.modalities).some((modality) => modality.recorded && modality.available);
    if (!this.listens) byId("recording-hint").textContent = "this model looks at words alone: it is only played here";
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("example").addEventListener("click", () => this.ask(EXAMPLE, null));
    byId("clear").addEventListener("click", () => (this.chosen.clear(), (byId("pasted").value = ""), this.fail("")));
  }

  submit() {
    const { transcript, recording } = this.chosen.files;
    const pasted = byId("pasted").value;
    if (transcript && pasted.trim())
      return this.fail("There is a transcript file and a pasted transcript; clear one of them.");
    const words = transcript ?? (pasted.trim() ? new File([pasted], "pasted.txt", { type: "text/plain" }) : null);
    if (!words && !(recording && this.listens))
      return this.fail("Choose a transcript, or paste one, or press Example.");
    const form = new FormData();
    if (words) form.append("transcript", words, words.name);
    if (recording && this.listens) form.append("media", recording, recording.name);
    return this.ask(form, recording);
  }

  /** Ask and show; an error is shown where the answer would be. */
  async ask(body, recording) {
    if (this.busy || !this.leave()) return;
    this.fail("");
    this.busy = true;
    for (const button of byId("ask").querySelectorAll("button")) button.disabled = true;
    try {
      this.show(await this.answer(body), recording);
    } catch (error) {
      if (error.code !== "cancelled") this.fail(error.message);
      else announce("Cancelled");
    } finally {
      this.busy = false;
      for (const button of byId("ask").querySelectorAll("button")) button.disabled = false;
    }
  }

  async answer(body) {
    try {
      return await waited((told, signal) => predict(body, told, signal));
    } catch (error) {
      if (await this.mended(error)) return this.answer(body);
      throw error;
    }
  }

  show({ predictions, notes, missing }, recording) {
    this.view?.player.close();
    const conversation = new Conversation(predictions[0].conversation, this.model.labels, predictions, missing);
    this.view = new View(conversation, { notes, recording });
    byId("found").replaceChildren(this.view.element);
    byId("input").open = false;
    this.view.title.focus();
    this.view.element.scrollIntoView({ block: "start" });
  }

  /** Whether what is there may go. */
  leave() {
    return !this.unsaved || confirm("The corrections are not saved. Go on without them?");
  }

  get unsaved() {
    return this.view?.conversation.unsaved ?? false;
  }

  fail(message) {
    const error = byId("error");
    error.textContent = message;
    error.hidden = !message;
    if (message) error.focus();
  }
}
