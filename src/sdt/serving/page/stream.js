/**
 * A conversation over `WebSocket /v1/stream`: sends one utterance after the other and receives the predictions. After a
 * lost connection it reconnects and sends unanswered utterances again.
 */

import { randomId, token } from "./api.js";
import { errorMessage } from "./messages.js";

const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 15_000];
/** Close codes after which the stream reconnects only for the next utterance. */
const [TAKEN_OVER, IDLE] = [4001, 4002];

/**
 * @typedef {object} Callbacks The callbacks of a stream.
 * @property {(words: string, connected: boolean) => void} state
 * @property {(notes: string[]) => void} noted The features that a stream leaves out.
 * @property {(seq: number, prediction: object) => void} prediction Each number once, in order.
 * @property {(message: string, utterance: object | null) => void} refused
 * @property {() => void} forgotten
 */

export class Stream {
  /** @param {Callbacks} callbacks */
  constructor(callbacks) {
    this.callbacks = callbacks;
    this.restart();
    this.socket = null;
    this.pause = FIRST_PAUSE;
    this.timer = 0;
  }

  /** Start a new conversation. */
  restart() {
    this.id = randomId();
    this.said = []; // all utterances: {speaker, text}
    this.answered = 0; // how many of them have a prediction
    this.next = null; // the number of the next utterance to send; null until the service is ready
    this.waiting = false; // for an answer
    this.ending = false;
  }

  connect() {
    clearTimeout(this.timer);
    if (this.socket) return;
    this.callbacks.state("Connecting …", false);
    const url = new URL("v1/stream", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("conversation", this.id);
    const socket = new WebSocket(url, protocols());
    this.socket = socket;
    socket.addEventListener("message", (event) => socket === this.socket && this.hear(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.socket && this.lost(event.code));
  }

  /** Add an utterance; it is sent as soon as possible. */
  say(speaker, text) {
    this.said.push({ speaker, text });
    if (this.socket) this.send();
    else this.connect();
  }

  /** Leave the conversation to another connection of this page. */
  release() {
    clearTimeout(this.timer);
    const socket = this.socket;
    [this.socket, this.next, this.waiting] = [null, null, false];
    socket?.close();
  }

  /** Take over an utterance that another connection has predicted. */
  predictedElsewhere({ speaker, text }) {
    this.said.push({ speaker, text });
    this.answered += 1;
  }

  /** Delete the conversation on the service and start a new one. */
  forget() {
    this.ending = true;
    if (this.next === null || this.socket?.readyState !== WebSocket.OPEN) return this.end();
    this.socket.send(JSON.stringify({ type: "forget" }));
  }

  hear(message) {
    if (message.type === "ready") this.ready(message);
    else if (message.type === "prediction") this.predicted(message);
    else if (message.type === "forgotten") this.end();
    else if (message.type === "error") this.failed(message);
  }

  ready({ next, notes = [] }) {
    this.callbacks.noted(notes);
    [this.pause, this.waiting] = [FIRST_PAUSE, false];
    // Ask again for lost answers, and send again what the service has lost, perhaps by a restart.
    this.next = Math.min(next, this.answered);
    this.callbacks.state("Connected", true);
    this.send();
  }

  predicted({ seq, prediction }) {
    this.waiting = false;
    this.next = seq + 1;
    if (seq === this.answered) {
      this.answered += 1;
      this.callbacks.prediction(seq, prediction);
    }
    this.send();
  }

  failed({ seq, error }) {
    this.waiting = false;
    const [refused] = Number.isInteger(seq) && seq < this.said.length ? this.said.splice(seq, 1) : [null];
    this.callbacks.refused(errorMessage(0, error), refused);
    this.send();
  }

  /** Reconnect soon, later, or for the next utterance. */
  lost(code) {
    [this.socket, this.next, this.waiting] = [null, null, false];
    if (this.ending) return this.end();
    if (code === TAKEN_OVER || code === IDLE) {
      this.callbacks.state(
        code === IDLE
          ? "Paused because of inactivity. Send an utterance to continue"
          : "This conversation is open in another window. Send an utterance to continue here",
        false,
      );
      return;
    }
    this.callbacks.state(`Disconnected. Reconnecting in ${Math.ceil(this.pause / 1000)} s`, false);
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  /** Send the next utterance if the last one is answered. */
  send() {
    if (this.waiting || this.next === null || this.next >= this.said.length || this.ending) return;
    this.waiting = true;
    this.socket.send(JSON.stringify({ type: "utterance", seq: this.next, ...this.said[this.next] }));
  }

  end() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.restart();
    this.callbacks.forgotten();
  }
}

/** The subprotocol, and the token: browsers cannot send a header with a WebSocket. */
export function protocols() {
  const value = token.get();
  const encoded = value && btoa(value).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return value ? ["sdt.v1", `bearer.${encoded}`] : ["sdt.v1"];
}
