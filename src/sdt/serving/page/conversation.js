/** The state of a conversation: predictions, reviews and filters, without any element of the page. */

/**
 * @typedef {object} Item One utterance.
 * @property {number} place Its number in the conversation, from 0.
 * @property {string} id
 * @property {string} speaker
 * @property {string | null} text
 * @property {number | null} start Seconds.
 * @property {number | null} end
 * @property {string | null} emotion The predicted one; null if the utterance has no modality.
 * @property {number | null} probability
 * @property {Record<string, number>} probabilities Empty if there is no emotion.
 * @property {Record<string, Record<string, number> | null>} branches Modality to the prediction of its classifier, null
 *   if the utterance lacks it; empty if the model has no such classifiers.
 * @property {Record<string, number | null>} weights Modality to its weight; empty if the model has none.
 * @property {string | null} label From a person or the transcript; never from the model.
 * @property {"corrected" | "confirmed" | null} review A person's review of the prediction; null also if the
 *   label was given without a review.
 * @property {string | null} given The label that the transcript gives without a review.
 * @property {Record<string, string>} missing Modality to why this utterance lacks it, if known.
 * @property {import("./words.js").Word[]} words The recognised words with their times; empty if there are none.
 * @property {Record<string, number[] | null> | undefined} features Of its recording by modality; undefined if unknown.
 * @property {string | null} annotator Who gave the review.
 * @property {object} record The record of the service.
 */

/** Predictions below this probability count as uncertain. */
export const UNCERTAIN = 0.5;

/**
 * Dispatches the events `added`, `label` (detail: the item), `filter` and `current`; `rebuilt` when utterances are replaced
 * or predicted again, and `edited` (detail: a place) when they have to be predicted again.
 */
export class Conversation extends EventTarget {
  /**
   * @param {string} name
   * @param {string[]} labels The labels of the model.
   * @param {object[]} records The predictions of the service.
   * @param {Record<string, string[]>} missing Modality to lines such as `talk/3: no voice`.
   */
  constructor(name, labels, records = [], missing = {}) {
    super();
    [this.name, this.labels] = [name, [...labels]];
    /** @type {Item[]} */
    this.items = [];
    this.filter = everything();
    /** @type {Item | null} */
    this.current = null;
    this.changes = []; // {item, label, review, annotator} or {items}: the values before each change
    this.annotator = null; // who reviews
    this.kept = undefined; // the last saved change
    this.reasons = Object.entries(missing);
    records.forEach((record) => this.append(record));
  }

  /** Add an utterance at the end. */
  add(record) {
    const item = this.append(record);
    this.tell("added", item);
    return item;
  }

  append(record) {
    const item = this.item(record, this.items.length);
    this.items.push(item);
    return item;
  }

  /** @returns {Item} */
  item({ features, words, annotator, ...record }, place) {
    const label = record.label ?? null;
    const review = label === null ? null : (record.review ?? null);
    if (label !== null && !this.labels.includes(label)) this.labels.push(label);
    return {
      place,
      id: record.utterance,
      speaker: record.speaker,
      text: record.text ?? null,
      start: record.start ?? null,
      end: record.end ?? null,
      emotion: record.emotion ?? null,
      probability: record.probability ?? null,
      probabilities: record.probabilities ?? {},
      branches: record.branches ?? {},
      weights: record.weights ?? {},
      label,
      review,
      given: review === null ? label : null,
      missing: lacks(this.reasons, `${record.conversation}/${record.utterance}: `),
      words: words ?? [],
      features,
      annotator: annotator ?? null,
      record,
    };
  }

  /** Replace `count` utterances from a place on. @returns {Item[]} The new ones. */
  edit(place, count, records) {
    const given = this.items[place].given;
    const made = records.map((record) => this.item(record));
    made[0].given = given;
    this.swap([...this.items.slice(0, place), ...made, ...this.items.slice(place + count)], place);
    return made;
  }

  /** Give a speaker another name. */
  rename(speaker, name) {
    const of = (item) => ({ ...item, speaker: name, record: { ...item.record, speaker: name } });
    const place = this.items.findIndex((item) => item.speaker === speaker);
    this.swap(this.items.map((item) => (item.speaker === speaker ? of(item) : item)), place);
  }

  swap(items, place) {
    this.changes.push({ items: this.items, place });
    this.replace(items, place);
  }

  replace(items, place) {
    const current = this.current?.place;
    this.items = items;
    items.forEach((item, number) => (item.place = number));
    if (current !== undefined) this.current = items[Math.min(current, items.length - 1)];
    this.tell("rebuilt");
    this.tell("edited", place);
  }

  /** Take over new predictions of some utterances, which may have been replaced meanwhile. */
  predicted(items, records, missing) {
    const reasons = Object.entries(missing ?? {});
    items.forEach((item, number) => {
      const { emotion, probability, probabilities, branches, weights, features } = records[number];
      Object.assign(item, { emotion, probability, probabilities, branches: branches ?? {}, weights: weights ?? {} });
      item.missing = lacks(reasons, `${records[number].conversation}/${item.id}: `);
      item.features = features ?? item.features;
      item.record = { ...item.record, emotion, probability, probabilities, branches, weights };
      if (item.review) item.review = item.label === emotion ? "confirmed" : "corrected";
    });
    this.tell("rebuilt");
  }

  /** The speakers in the order in which they first speak. */
  get speakers() {
    return [...new Set(this.items.map((item) => item.speaker))];
  }

  /** Whether every utterance has a time. */
  get timed() {
    return this.items.length > 0 && this.items.every((item) => item.start !== null);
  }

  get shown() {
    return this.items.filter((item) => this.shows(item));
  }

  /** Whether an item passes the filter. */
  shows(item) {
    const { emotions, speakers, reviews, uncertain } = this.filter;
    return (
      (!emotions.size || emotions.has(shownEmotion(item))) &&
      (!speakers.size || speakers.has(item.speaker)) &&
      (!reviews.size || reviews.has(statusOf(item))) &&
      (!uncertain || isUncertain(item))
    );
  }

  /** Toggle a member of a set of the filter, or a switch. */
  toggle(part, member) {
    const value = this.filter[part];
    if (!(value instanceof Set)) this.filter[part] = !value;
    else if (!value.delete(member)) value.add(member);
    this.tell("filter");
  }

  /** Show everything. */
  unfilter() {
    this.filter = everything();
    this.tell("filter");
  }

  /** Select the current utterance. */
  look(item) {
    this.current = item;
    this.tell("current", item);
  }

  /** The previous (-1) or next (1) shown utterance; null if there is none. */
  beside(step) {
    const shown = this.shown;
    const here = this.current?.place ?? (step > 0 ? -1 : this.items.length);
    return (step > 0 ? shown.find((item) => item.place > here) : shown.findLast((item) => item.place < here)) ?? null;
  }

  /** Label an utterance: the predicted emotion confirms the prediction, any other corrects it. */
  relabel(item, label) {
    this.change(item, label, label === item.emotion ? "confirmed" : "corrected");
  }

  /** Remove the review; restores the label of the transcript. */
  unreview(item) {
    this.change(item, item.given, null);
  }

  change(item, label, review) {
    if (item.label === label && item.review === review) return;
    this.changes.push({ item, label: item.label, review: item.review, annotator: item.annotator });
    this.set(item, label, review, review && this.annotator);
  }

  /** Undo the last change. @returns {Item | null} */
  undo() {
    const last = this.changes.pop();
    if (last?.items) {
      this.replace(last.items, last.place);
      return this.items[last.place];
    }
    if (last) this.set(last.item, last.label, last.review, last.annotator);
    return last?.item ?? null;
  }

  set(item, label, review, annotator) {
    [item.label, item.review, item.annotator] = [label, review, annotator];
    this.tell("label", item);
  }

  /** Whether there are unsaved reviews or removed reviews. */
  get unsaved() {
    return this.changes.at(-1) !== this.kept;
  }

  /** Mark the reviews as saved. */
  saved() {
    this.kept = this.changes.at(-1);
    this.tell("saved");
  }

  tell(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

/** The problems of one utterance by modality, from lines such as `talk/3: no voice`. */
function lacks(reasons, place) {
  const found = reasons.map(([modality, lines]) => [modality, lines.find((line) => line.startsWith(place))]);
  return Object.fromEntries(
    found.filter(([, line]) => line).map(([modality, line]) => [modality, line.slice(place.length)]),
  );
}

/** The filter that shows everything. */
function everything() {
  return { emotions: new Set(), speakers: new Set(), reviews: new Set(), uncertain: false };
}

/** The label, or else the predicted emotion; null if there is neither. */
export function shownEmotion(item) {
  return item.label ?? item.emotion;
}

/** The origin of the label: `corrected`, `confirmed`, or `given` by the transcript; null without a label. */
export function statusOf(item) {
  return item.review ?? (item.label === null ? null : "given");
}

/** Whether the prediction is uncertain. */
export function isUncertain(item) {
  return item.emotion !== null && item.probability < UNCERTAIN;
}
