/** Live speech over `WebSocket /v1/listen`: sends the sound of the microphone, receives words and emotions. */

import { errorMessage } from "./messages.js";
import { LiveSound, microphoneError } from "./microphone.js";
import { protocols } from "./stream.js";

/** Milliseconds to wait for the last answers after the microphone is off. */
const LAST = 15_000;

/**
 * @typedef {object} Callbacks
 * @property {(text: string) => void} state
 * @property {(prediction: object) => void} prediction
 * @property {(message: string) => void} failed
 * @property {() => void} ended Called once, after the last answer.
 */

export class Listener {
  /** @param {string} conversation Its id. @param {string} speaker @param {Callbacks} callbacks */
  constructor(conversation, speaker, callbacks) {
    Object.assign(this, { callbacks, speaker, sound: null, over: false, waiting: 0 });
    callbacks.state("Loading the speech recogniser …");
    const url = new URL("v1/listen", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("conversation", conversation);
    this.socket = new WebSocket(url, protocols());
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.socket.addEventListener("close", () => this.finish("The connection was lost. Press the button to continue."));
  }

  async hear(message) {
    if (message.type === "ready") await this.begin();
    else if (message.type === "speech") this.speech(message);
    else if (message.type === "prediction") this.callbacks.prediction(message.prediction);
    else if (message.type === "error") this.callbacks.failed(errorMessage(0, message.error));
    else if (message.type === "ended") this.finish();
    if (message.type === "error" && message.error.code === "not_installed") this.over = true;
  }

  async begin() {
    this.say(this.speaker);
    try {
      this.sound = await LiveSound.begin((samples) => this.send(samples.buffer));
    } catch (error) {
      return this.finish(microphoneError(error));
    }
    if (this.over) return this.finish();
    this.callbacks.state("Listening");
  }

  speech({ end }) {
    if (this.sound) this.callbacks.state(end === null ? "Hearing speech …" : "Listening");
  }

  /** Who speaks from now on. */
  say(speaker) {
    this.speaker = speaker;
    this.send(JSON.stringify({ type: "speaker", name: speaker }));
  }

  send(data) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  /** Switch the microphone off and wait for the last answers. */
  stop() {
    this.sound?.end();
    if (!this.sound || this.socket.readyState !== WebSocket.OPEN) return this.finish();
    this.sound = null;
    this.callbacks.state("Waiting for the last words …");
    this.send(JSON.stringify({ type: "end" }));
    setTimeout(() => this.finish(), LAST);
  }

  finish(message = "") {
    if (this.done) return;
    this.done = true;
    this.sound?.end();
    this.sound = null;
    this.socket.close();
    if (message && !this.over) this.callbacks.failed(message);
    this.callbacks.ended();
  }
}
