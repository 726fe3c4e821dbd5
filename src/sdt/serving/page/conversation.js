/** A conversation with its emotions: what the model said, what people corrected, what is shown. It knows no element. */

/**
 * @typedef {object} Item One utterance.
 * @property {number} place Its number in the conversation, from 0.
 * @property {string} id
 * @property {string} speaker
 * @property {string | null} text
 * @property {number | null} start Seconds.
 * @property {number | null} end
 * @property {string} emotion What the model says.
 * @property {number} probability
 * @property {Record<string, number>} probabilities
 * @property {Record<string, Record<string, number>>} branches Modality to what its branch says; empty without branches.
 * @property {Record<string, number>} weights Modality to its weight; empty where the model has none.
 * @property {string | null} given The label of the transcript.
 * @property {string} label What counts: set by hand, or of the transcript, or of the model.
 * @property {Record<string, string>} missing Modality to why this utterance lacks it, as far as that is known.
 * @property {object} record As the service said it.
 */

/** Below this probability a prediction is called uncertain. */
export const UNCERTAIN = 0.5;

/**
 * Tells `added`, `label` (detail: the item), `filter` and `current` to whoever listens.
 */
export class Conversation extends EventTarget {
  /**
   * @param {string} name
   * @param {string[]} labels Of the model.
   * @param {object[]} records Predictions as the service says them.
   * @param {Record<string, string[]>} missing Modality to lines such as `talk/3: no voice`.
   */
  constructor(name, labels, records = [], missing = {}) {
    super();
    [this.name, this.labels] = [name, [...labels]];
    /** @type {Item[]} */
    this.items = [];
    this.filter = { emotions: new Set(), speakers: new Set(), corrected: false, uncertain: false };
    /** @type {Item | null} */
    this.current = null;
    this.changes = []; // {item, label}: what to go back to
    this.kept = undefined; // the last change that is in a file
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
    const given = record.label ?? null;
    const { utterance: id, speaker, text, start, end, emotion, probability, probabilities } = record;
    const said = { id, speaker, text, start: start ?? null, end: end ?? null, emotion, probability, probabilities };
    const [branches, weights] = [record.branches ?? {}, record.weights ?? {}];
    const missing = lacks(this.reasons, `${record.conversation}/${id}: `);
    const item = {
      ...said,
      branches,
      weights,
      given,
      missing,
      label: given ?? emotion,
      place: this.items.length,
      record,
    };
    this.items.push(item);
    if (!this.labels.includes(item.label)) this.labels.push(item.label);
    return item;
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
    const { emotions, speakers, corrected, uncertain } = this.filter;
    return (
      (!emotions.size || emotions.has(item.label)) &&
      (!speakers.size || speakers.has(item.speaker)) &&
      (!corrected || isCorrected(item)) &&
      (!uncertain || isUncertain(item))
    );
  }

  /** Change the filter: a set's member comes or goes, a switch turns. */
  toggle(part, member) {
    const value = this.filter[part];
    if (!(value instanceof Set)) this.filter[part] = !value;
    else if (!value.delete(member)) value.add(member);
    this.tell("filter");
  }

  /** Show everything. */
  unfilter() {
    this.filter = { emotions: new Set(), speakers: new Set(), corrected: false, uncertain: false };
    this.tell("filter");
  }

  /** Say which utterance is looked at. */
  look(item) {
    this.current = item;
    this.tell("current", item);
  }

  /** The next shown utterance before (-1) or behind (1) the current one; null where there is none. */
  beside(step) {
    const shown = this.shown;
    const here = this.current?.place ?? (step > 0 ? -1 : this.items.length);
    return (step > 0 ? shown.find((item) => item.place > here) : shown.findLast((item) => item.place < here)) ?? null;
  }

  /** Correct a label. */
  relabel(item, label) {
    if (item.label === label) return;
    this.changes.push({ item, label: item.label });
    this.set(item, label);
  }

  /** Take the last correction back. @returns {Item | null} */
  undo() {
    const last = this.changes.pop();
    if (last) this.set(last.item, last.label);
    return last?.item ?? null;
  }

  set(item, label) {
    item.label = label;
    this.tell("label", item);
  }

  /** Whether there are corrections, or some taken back, that are in no file. */
  get unsaved() {
    return this.changes.at(-1) !== this.kept;
  }

  /** The corrections are in a file. */
  saved() {
    this.kept = this.changes.at(-1);
    this.tell("saved");
  }

  tell(what, detail = null) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

/** Of lines such as `talk/3: no voice` what is said of one utterance, by modality. */
function lacks(reasons, place) {
  const found = reasons.map(([modality, lines]) => [modality, lines.find((line) => line.startsWith(place))]);
  return Object.fromEntries(
    found.filter(([, line]) => line).map(([modality, line]) => [modality, line.slice(place.length)]),
  );
}

/** Whether an utterance's label is another than the model's. */
export function isCorrected(item) {
  return item.label !== item.emotion;
}

/** Whether the model is in doubt. */
export function isUncertain(item) {
  return item.probability < UNCERTAIN;
}
