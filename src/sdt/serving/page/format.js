/** Numbers and utterances as text for the user. */

import { statusOf } from "./conversation.js";

/** Why an utterance has no emotion. */
export const NOTHING = "no emotion: the utterance has no text, audio or video";
/** The origin of a label. */
export const STATUS = { corrected: "corrected", confirmed: "confirmed", given: "from the transcript" };

/** Seconds as 1:02 or 1:02:03, with tenths where `fine`. */
export function clock(seconds, fine = false) {
  const tenths = Math.round(seconds * 10);
  const whole = fine ? Math.floor(tenths / 10) : Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}${fine ? `.${tenths % 10}` : ""}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** When an utterance is spoken: 0:01.2 – 0:03.4; empty if unknown. */
export function stretch({ start, end }) {
  if (start === null) return "";
  return end === null ? clock(start, true) : `${clock(start, true)} – ${clock(end, true)}`;
}

/** 0.834 as 83%. */
export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

/** 1 utterance, 1,204 utterances. */
export function count(number, noun) {
  return `${number.toLocaleString("en-GB")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Bytes as 3 kB or 1.2 MB. */
export function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** An utterance for screen readers. */
export function spoken(item) {
  const weighed = weightWords(item.weights);
  const weights = Object.keys(item.weights).length > 1 && weighed && `weights: ${weighed}`;
  return [item.place + 1, item.speaker, stretch(item), emotionWords(item), item.text ?? "no text", weights]
    .filter(Boolean)
    .join(", ");
}

/** An utterance's emotion, such as joy 83%; with a label, also its origin and the prediction. */
export function emotionWords(item) {
  const status = statusOf(item);
  const model = item.emotion === null ? null : `${item.emotion} ${percent(item.probability)}`;
  if (!status) return model ?? NOTHING;
  if (item.label === item.emotion) return `${model}, ${STATUS[status]}`;
  return `${item.label}, ${STATUS[status]}; predicted ${model ?? NOTHING}`;
}

/** The weights of an utterance's modalities, such as text 62%, audio 38%. */
export function weightWords(weights) {
  return Object.entries(weights)
    .filter(([, weight]) => weight)
    .map(([modality, weight]) => `${modality} ${percent(weight)}`)
    .join(", ");
}
