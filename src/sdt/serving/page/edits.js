/** Edits of utterances: each takes an item and returns the records that replace it, or null if nothing changes. */

import { realign, rounded } from "./words.js";

/** The shortest utterance, in seconds. */
const SHORTEST = 0.05;

/** The record of an item, with its label and review. */
function recordOf({ record, label, review, annotator, words, features }, more = {}) {
  return { ...record, label, review, annotator, words, features, ...more };
}

/** Another text. */
export function retext(item, text) {
  const tidy = text.replace(/\s+/g, " ").trim();
  if (tidy === (item.text ?? "")) return null;
  return [recordOf(item, { text: tidy || null, words: realign(tidy, item.words, item.start, item.end) })];
}

/** Another speaker. */
export function respeak(item, speaker) {
  return speaker && speaker !== item.speaker ? [recordOf(item, { speaker })] : null;
}

/** Other times; the features of the recording are made again. */
export function retime(item, start, end) {
  if (!(Number.isFinite(start) && Number.isFinite(end))) return null;
  const from = rounded(Math.max(start, 0));
  const to = rounded(Math.max(end, from + SHORTEST));
  if (from === item.start && to === item.end) return null;
  const within = (time) => Math.min(Math.max(time, from), to);
  const words = item.words.map((word) => ({ ...word, start: within(word.start), end: within(word.end) }));
  return [recordOf(item, { start: from, end: to, words, features: undefined })];
}

/**
 * Two utterances instead of one.
 * @param {object} item
 * @param {number} at A place in its text; the word around it belongs to the second one.
 * @param {(id: string) => boolean} taken Whether an utterance has this id.
 */
export function split(item, at, taken) {
  const text = item.text ?? "";
  const place = text.lastIndexOf(" ", at - 1) + 1;
  const [before, after] = [text.slice(0, place).trim(), text.slice(place).trim()];
  if (!before || !after) return null;
  const count = before.split(/\s+/).length;
  const words = [item.words.slice(0, count), item.words.slice(count)];
  const times = timesOfSplit(item, words, before.length / text.length);
  let number = 2;
  while (taken(`${item.id}-${number}`)) number += 1;
  const cut = { features: undefined };
  return [
    recordOf(item, { ...cut, text: before, words: words[0], start: item.start, end: times[0] }),
    recordOf(item, { ...cut, utterance: `${item.id}-${number}`, text: after, words: words[1], start: times[1], end: item.end, label: null, review: null }),
  ];
}

/** The end of the first and the start of the second part. */
function timesOfSplit({ start, end }, [first, second], share) {
  if (first.length && second.length) return [first.at(-1).end, Math.max(second[0].start, first.at(-1).end)].map(rounded);
  if (start === null || end === null) return [end, start];
  const middle = rounded(start + share * (end - start));
  return [middle, middle];
}

/** One utterance instead of two; it has the speaker and the label of the first one. */
export function merge(item, next) {
  const joined = (a, b) => (a && b ? `${a} ${b}` : (a ?? b));
  return [
    recordOf(item, {
      text: joined(item.text, next.text),
      words: item.words.length && next.words.length ? [...item.words, ...next.words] : [],
      start: item.start ?? next.start,
      end: item.end === null || next.end === null ? (next.end ?? item.end) : Math.max(item.end, next.end),
      features: undefined,
    }),
  ];
}
