/** The recognised words of an utterance: their marks, and their times after the text has been edited. */

import { h } from "./dom.js";
import { clock, percent } from "./format.js";

/** Words below this probability are marked; see `DOUBTFUL` of the service. */
export const DOUBTFUL = 0.3;

/**
 * @typedef {object} Word
 * @property {string} text
 * @property {number} start Seconds.
 * @property {number} end
 * @property {number | null} probability
 * @property {boolean} overlapped Whether another speaker speaks at the same time.
 */

/** @param {Word} word */
export function isDoubtful(word) {
  return word.probability !== null && word.probability !== undefined && word.probability < DOUBTFUL;
}

/** What is to be known of a word. */
function about(word) {
  return [
    `${clock(word.start, true)} – ${clock(word.end, true)}`,
    isDoubtful(word) && `uncertain: ${percent(word.probability)}`,
    word.overlapped && "another speaker speaks at the same time",
  ]
    .filter(Boolean)
    .join(", ");
}

/**
 * The text of an utterance with marked words.
 * @param {object} item
 * @param {((word: Word) => void) | null} play Called with a word that is clicked; null if words are no buttons.
 * @returns {unknown[]} Children for `h`.
 */
export function wordElements(item, play = null) {
  if (!item.words.length) return [item.text ?? "no text"];
  return item.words.flatMap((word) => {
    const marks = [isDoubtful(word) && "doubtful", word.overlapped && "overlapped"].filter(Boolean);
    const attributes = { class: ["word", ...marks].join(" "), title: about(word) };
    const element = play
      ? h("button", { ...attributes, type: "button", "aria-label": `Play ${word.text} (${about(word)})`, onclick: () => play(word) }, word.text)
      : h("span", marks.length ? attributes : {}, word.text);
    return [element, " "];
  });
}

/** The legend of the marks; null if no word has one. */
export function wordLegend(conversation) {
  const legend = h("p", { class: "legend faint" });
  const write = () => {
    const words = conversation.items.flatMap((item) => item.words);
    const marks = [words.some(isDoubtful) && ["doubtful", "uncertain"], words.some((word) => word.overlapped) && ["overlapped", "several speakers"]];
    legend.hidden = !marks.some(Boolean);
    legend.replaceChildren("Words: ", ...marks.filter(Boolean).map(([name, text]) => h("span", { class: `legend-item word ${name}` }, text)));
  };
  for (const what of ["added", "rebuilt"]) conversation.addEventListener(what, write);
  write();
  return legend;
}

/**
 * The words of an edited text: those that stay keep their times, others share the time between them.
 * @param {string} text
 * @param {Word[]} words Of the text before.
 * @param {number | null} start Of the utterance, in seconds.
 * @param {number | null} end
 * @returns {Word[]} Empty if the times are unknown.
 */
export function realign(text, words, start, end) {
  const said = text.split(/\s+/).filter(Boolean);
  if (!words.length || start === null || end === null) return [];
  const kept = common(said.map(plain), words.map(({ text: one }) => plain(one)));
  const found = said.map((one, place) => (kept[place] === null ? null : { ...words[kept[place]], text: one }));
  for (let first = 0; first < found.length; first += 1) {
    if (found[first]) continue;
    let next = first;
    while (next < found.length && !found[next]) next += 1;
    const from = first ? found[first - 1].end : start;
    const to = Math.max(next < found.length ? found[next].start : end, from);
    const each = (to - from) / (next - first);
    for (let place = first; place < next; place += 1)
      found[place] = {
        text: said[place],
        start: rounded(from + (place - first) * each),
        end: rounded(from + (place - first + 1) * each),
        probability: null,
        overlapped: false,
      };
  }
  return found;
}

/** For each entry of `a`, its partner in a longest common subsequence with `b`; null without one. */
function common(a, b) {
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  const found = a.map(() => null);
  for (let i = 0, j = 0; i < a.length && j < b.length; )
    if (a[i] === b[j]) found[i++] = j++;
    else if (length[i + 1][j] >= length[i][j + 1]) i += 1;
    else j += 1;
  return found;
}

function plain(word) {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "") || word;
}

/** Seconds, to the millisecond. */
export function rounded(seconds) {
  return Math.round(1000 * seconds) / 1000;
}
