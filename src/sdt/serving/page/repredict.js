/** Predicts the emotions again after an edit: all utterances are sent, since each is the context of the others. */

import { predict } from "./api.js";

/** Milliseconds without an edit after which the service is asked. */
const PAUSE = 700;

/** Watches a conversation; `state` is called with a text for the user, empty when everything is up to date. */
export class Repredict {
  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {{recording: File | null, limits: Record<string, number>, answer?: (work: Function) => Promise<object>}} more
   *   The recording that the service listens to; the limits of the service; `answer` asks for the token if needed.
   */
  constructor(conversation, { recording, limits = {}, state = () => {} }) {
    Object.assign(this, { conversation, recording, limits, state });
    [this.timer, this.running, this.place] = [0, null, 0];
    conversation.addEventListener("edited", (event) => this.edited(event.detail));
  }

  edited(place) {
    this.place = place;
    clearTimeout(this.timer);
    this.running?.abort();
    this.state("Predicting again …");
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    const controller = (this.running = new AbortController());
    const items = this.window();
    try {
      const answer = await predict(this.body(items), () => {}, controller.signal, { features: this.recording !== null });
      if (controller.signal.aborted) return;
      this.conversation.predicted(items, answer.predictions, answer.missing);
      this.state("");
    } catch (error) {
      if (error.code !== "cancelled") this.state(`Not predicted again: ${error.message}`);
    }
  }

  /** The utterances around the edited one, as many as the service takes. */
  window() {
    const { items } = this.conversation;
    const most = this.limits.utterances ?? items.length;
    const first = Math.max(0, Math.min(this.place - Math.floor(most / 2), items.length - most));
    return items.slice(first, first + most);
  }

  body(items) {
    const known = items.every((item) => item.features !== undefined);
    const seconds = Math.max(0, ...items.map((item) => item.end ?? 0));
    const heard = this.recording && !known && seconds <= (this.limits.media_seconds ?? Infinity);
    const utterances = items.map((item) => utterance(item, this.recording && !heard ? item.features : undefined));
    const conversation = { id: items[0].record.conversation, utterances };
    if (!heard) return conversation;
    const form = new FormData();
    form.append("conversation", JSON.stringify(conversation));
    form.append("media", this.recording, this.recording.name);
    return form;
  }

  /** Give up. */
  end() {
    clearTimeout(this.timer);
    this.running?.abort();
  }
}

function utterance({ id, speaker, text, start, end }, features) {
  const said = { id, speaker, text, start, end, features: features && Object.keys(features).length ? features : undefined };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null && value !== undefined));
}
