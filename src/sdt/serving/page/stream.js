/**
 * A conversation over `WebSocket /v1/stream`: utterances go out one after the other, predictions come back; when the
 * connection is lost it is made again, and what was not answered is sent again.
 */

import { randomId, token } from "./api.js";
import { inWords } from "./words.js";

const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 15_000];
/** Why the service closes a connection; it is not asked again before somebody has something to say. */
const [TAKEN_OVER, IDLE] = [4001, 4002];

/**
 * @typedef {object} Told What a stream tells.
 * @property {(words: string, connected: boolean) => void} state
 * @property {(notes: string[]) => void} noted What a conversation that goes on lacks here.
 * @property {(seq: number, prediction: object) => void} prediction Each number once, in order.
 * @property {(message: string, utterance: object | null) => void} refused
 * @property {() => void} forgotten
 */

export class Stream {
  /** @param {Told} told */
  constructor(told) {
    this.told = told;
    this.restart();
    this.socket = null;
    this.pause = FIRST_PAUSE;
    this.timer = 0;
  }

  /** Begin a new conversation. */
  restart() {
    this.id = randomId();
    this.said = []; // {speaker, text}, all of them
    this.answered = 0; // of how many the prediction was told
    this.next = null; // the number that the service waits for; null: it has not said so yet
    this.waiting = false; // for the answer to what was sent
    this.ending = false;
  }

  connect() {
    clearTimeout(this.timer);
    if (this.socket) return;
    this.told.state("Connecting …", false);
    const url = new URL("v1/stream", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("conversation", this.id);
    const socket = new WebSocket(url, protocols());
    this.socket = socket;
    socket.addEventListener("message", (event) => socket === this.socket && this.hear(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.socket && this.lost(event.code));
  }

  /** Say something; it is sent as soon as that is possible. */
  say(speaker, text) {
    this.said.push({ speaker, text });
    if (this.socket) this.send();
    else this.connect();
  }

  /** Have the service forget the conversation, and begin a new one. */
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
    this.told.noted(notes);
    [this.pause, this.waiting] = [FIRST_PAUSE, false];
    // What it has but was not told is asked for again; what it has lost, perhaps since it was restarted, is said again.
    this.next = Math.min(next, this.answered);
    this.told.state("Connected", true);
    this.send();
  }

  predicted({ seq, prediction }) {
    this.waiting = false;
    this.next = seq + 1;
    if (seq === this.answered) {
      this.answered += 1;
      this.told.prediction(seq, prediction);
    }
    this.send();
  }

  failed({ seq, error }) {
    this.waiting = false;
    const [refused] = Number.isInteger(seq) && seq < this.said.length ? this.said.splice(seq, 1) : [null];
    this.told.refused(inWords(0, error), refused);
    this.send();
  }

  /** The connection is gone: soon, later, or when there is something to say, there is another one. */
  lost(code) {
    [this.socket, this.next, this.waiting] = [null, null, false];
    if (this.ending) return this.end();
    if (code === TAKEN_OVER || code === IDLE) {
      this.told.state(
        code === IDLE
          ? "Paused, since nothing was said for a while. Send an utterance to continue"
          : "This conversation is open in another window. Send an utterance to continue here",
        false,
      );
      return;
    }
    this.told.state(`Not connected. Trying again in ${Math.ceil(this.pause / 1000)} s`, false);
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE);
  }

  /** Send the next utterance, if the last is answered. */
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
    this.told.forgotten();
  }
}

/** What the connection speaks, and the token: browsers send no header with a WebSocket. */
function protocols() {
  const value = token.get();
  const encoded = value && btoa(value).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return value ? ["sdt.v1", `bearer.${encoded}`] : ["sdt.v1"];
}
