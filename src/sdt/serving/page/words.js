/** Why the service refuses, in words for people: what is wrong, and what to do. */

import { clock, count, size } from "./format.js";

const BUSY = "The service is busy. Try again in a moment.";

/** By the name of the limit that was met. */
const LIMITS = {
  body_bytes: (value) => `The files are too large. This service takes up to ${size(value)}.`,
  json_bytes: (value) => `The transcript is too long. This service takes up to ${size(value)}.`,
  request_utterances: (value) =>
    `The file is too long. Divide it: this service takes up to ${count(value, "utterance")}.`,
  transcript_bytes: (value) => `The transcript is too long. This service takes up to ${size(value)}.`,
  utterances: (value) =>
    `The conversation is too long. Divide it: this service takes up to ${count(value, "utterance")}.`,
  characters: (value) => `An utterance is too long. Divide it: this service takes up to ${count(value, "character")}.`,
  media_seconds: (value) => `The recording is too long. Cut it: this service takes up to ${clock(value)}.`,
  request_seconds: () => "This took too long. Try a shorter conversation or recording, or try again later.",
  decode_seconds: () => "Reading the recording took too long. Try a shorter one, or try again later.",
  decode_bytes: () => "The recording takes too much memory to read. Try a shorter one, or another format.",
  stream_utterances: (value) => `This conversation is full (${count(value, "utterance")}). Begin a new one.`,
  concurrent: () => BUSY,
  held_bytes: () => BUSY,
  streams: () => BUSY,
};

const CODES = {
  unreachable: "The service cannot be reached. Check that it is running, then try again.",
  cancelled: "Cancelled.",
  unknown: "Something between this page and the service answered instead of it. Try again later.",
  internal: "Something went wrong in the service. Try again; if it happens again, tell whoever runs it.",
  stopping: "The service is about to stop. Try again in a minute.",
};

/**
 * @param {number} status
 * @param {{code: string, message?: string, limit?: {name: string, value: number}, details?: object[]}} error
 */
export function inWords(status, { code, message, limit, details }) {
  const words = (limit && LIMITS[limit.name]?.(limit.value)) ?? CODES[code] ?? placed(details?.[0]) ?? message;
  return words ?? `${CODES.unknown} (${status})`;
}

/** What is wrong with an utterance: of `utterances.0.speaker` that in utterance 1, the speaker should be otherwise. */
function placed(detail) {
  const [, place, field] = /^utterances\.(\d+)\.(\w+)/.exec(detail?.place) ?? [];
  if (!field) return undefined;
  return `In utterance ${Number(place) + 1}, ${field} ${detail.message.replace(/^(String|Input) /, "")}.`;
}
