/** The live tab: predicts each utterance of a conversation as it is typed. */

import { Conversation } from "./conversation.js";
import { announce, byId, h } from "./dom.js";
import { emotionWords } from "./format.js";
import { Listener } from "./listen.js";
import { unavailable } from "./microphone.js";
import { Stream } from "./stream.js";
import { View } from "./view.js";

const FIRST = ["Speaker 1", "Speaker 2"];

export class Live {
  /** @param {object} model The response of GET /v1/model. */
  constructor(model) {
    [this.model, this.begun, this.view] = [model, false, null];
    this.stream = new Stream({
      state: (words, connected) => this.state(words, connected),
      noted: (notes) => byId("live-notes").replaceChildren(...notes.map((note) => h("li", {}, note))),
      prediction: (_, prediction) => this.heard(prediction),
      refused: (message, utterance) => this.refused(message, utterance),
      forgotten: () => this.forgotten(),
    });
    for (const name of FIRST) this.join(name);
    byId("speaker").value = FIRST[0];
    byId("say").addEventListener("submit", (event) => (event.preventDefault(), this.say()));
    byId("join").addEventListener("click", () => this.join(byId("newcomer").value.trim()));
    byId("newcomer").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.join(event.target.value.trim());
    });
    byId("forget").addEventListener("click", () => this.forget());
    this.listener = null;
    this.offerMicrophone();
  }

  /** Called when the tab is chosen. */
  begin() {
    if (!this.begun) this.stream.connect();
    this.begun = true;
    byId("words").focus();
  }

  /** The button that switches the microphone on and off, if the service recognises speech. */
  offerMicrophone() {
    byId("listen-row").hidden = !this.model.transcriber;
    const why = unavailable();
    byId("listen").disabled = Boolean(why);
    byId("listen-state").textContent = why;
    byId("listen").addEventListener("click", () => (this.listener ? this.listener.stop() : this.listen()));
    byId("speaker").addEventListener("change", () => this.listener?.say(byId("speaker").value));
  }

  listen() {
    this.complain("");
    this.stream.release();
    this.state("Microphone", true);
    // The times of the service begin at 0 each time that the microphone is switched on.
    const from = Math.max(0, ...(this.view?.conversation.items ?? []).map((item) => (item.end ?? 0) + 1));
    this.listener = new Listener(this.stream.id, byId("speaker").value, {
      state: (text) => (byId("listen-state").textContent = text),
      prediction: (prediction) => {
        this.stream.predictedElsewhere(prediction);
        this.heard(later(prediction, from));
      },
      failed: (message) => this.complain(message),
      ended: () => this.listened(),
    });
    this.microphone(true);
  }

  listened() {
    this.listener = null;
    byId("listen-state").textContent = "";
    this.microphone(false);
    this.stream.connect();
  }

  /** Show whether the microphone is on; meanwhile nothing can be typed. */
  microphone(on) {
    byId("listen").textContent = on ? "■ Stop the microphone" : "● Speak";
    byId("listen").setAttribute("aria-pressed", String(on));
    for (const id of ["words", "send", "forget"]) byId(id).disabled = on;
  }

  get unsaved() {
    return this.view?.conversation.unsaved ?? false;
  }

  /** Add a speaker and select it. */
  join(name) {
    if (!name) return;
    const select = byId("speaker");
    if (![...select.options].some((option) => option.value === name)) select.append(h("option", { value: name }, name));
    select.value = name;
    byId("newcomer").value = "";
    if (this.begun) byId("words").focus();
  }

  say() {
    const words = byId("words");
    const text = words.value.trim();
    if (!text) return;
    words.value = "";
    this.complain("");
    this.stream.say(byId("speaker").value, text);
    this.pending();
  }

  heard(prediction) {
    if (!this.view) this.open(prediction);
    else this.view.conversation.add(prediction);
    this.pending();
    announce(`${prediction.speaker}: ${emotionWords(this.view.conversation.items.at(-1))}`);
  }

  /** Show the conversation after its first utterance. */
  open(prediction) {
    const conversation = new Conversation("Live conversation", this.model.labels, [prediction]);
    this.view = new View(conversation);
    byId("live-found").replaceChildren(this.view.element);
  }

  /** Show how many utterances have no prediction yet. */
  pending() {
    const left = this.stream.said.length - this.stream.answered;
    byId("pending").textContent = left ? `${left} pending` : "";
  }

  refused(message, utterance) {
    this.complain(message);
    if (utterance && !byId("words").value) byId("words").value = utterance.text;
    this.pending();
  }

  complain(message) {
    byId("live-error").textContent = message;
    byId("live-error").hidden = !message;
  }

  state(words, connected) {
    byId("connection").textContent = words;
    byId("connection").classList.toggle("connected", connected);
  }

  forget() {
    if (this.unsaved && !confirm("Your corrections and confirmations are not saved. Delete the conversation?")) return;
    this.stream.forget();
  }

  forgotten() {
    this.view = null;
    byId("live-found").replaceChildren();
    this.complain("");
    this.pending();
    announce("Conversation deleted");
    this.stream.connect();
    byId("words").focus();
  }
}

/** A prediction with later times. */
function later({ words, ...prediction }, seconds) {
  const moved = (one) => ({ ...one, start: one.start + seconds, end: one.end + seconds });
  return { ...moved(prediction), words: words?.map(moved) };
}
