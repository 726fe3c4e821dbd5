/** Error messages for the user: what is wrong, and what to do. */

import { clock, count, size } from "./format.js";

const BUSY = "The service is busy. Try again in a moment.";

/** By the name of the exceeded limit. */
const LIMITS = {
  body_bytes: (value) => `The files are too large. The limit of this service is ${size(value)}.`,
  json_bytes: (value) => `The transcript is too long. The limit of this service is ${size(value)}.`,
  request_utterances: (value) =>
    `The file is too long. Split it: the limit of this service is ${count(value, "utterance")}.`,
  transcript_bytes: (value) => `The transcript is too long. The limit of this service is ${size(value)}.`,
  utterances: (value) =>
    `The conversation is too long. Split it: the limit of this service is ${count(value, "utterance")}.`,
  characters: (value) => `An utterance is too long. Split it: the limit of this service is ${count(value, "character")}.`,
  media_seconds: (value) => `The recording is too long. Shorten it: the limit of this service is ${clock(value)}.`,
  recording_seconds: (value) => `The recording is too long. Shorten it: the limit of this service is ${clock(value)}.`,
  transcribe_seconds: () => "Recognising the words took too long. Try a shorter recording, or try again later.",
  transcribe_bytes: () => "Recognising the words takes too much memory. Try a shorter recording, or another format.",
  request_seconds: () => "The request took too long. Try a shorter conversation or recording, or try again later.",
  decode_seconds: () => "Decoding the recording took too long. Try a shorter one, or try again later.",
  decode_bytes: () => "Decoding the recording takes too much memory. Try a shorter one, or another format.",
  stream_utterances: (value) => `This conversation is full (${count(value, "utterance")}). Start a new one.`,
  concurrent: () => BUSY,
  held_bytes: () => BUSY,
  streams: () => BUSY,
};

const CODES = {
  unreachable: "The service cannot be reached. Check that it is running, then try again.",
  cancelled: "Cancelled.",
  encoding: "The characters of this file cannot be read with certainty. Choose its encoding below, or save it as UTF-8.",
  unknown: "The response is not from the service, but perhaps from a proxy. Try again later.",
  internal: "Internal error of the service. Try again; if it happens again, tell its administrator.",
  stopping: "The service is stopping. Try again in a minute.",
};

/**
 * @param {number} status
 * @param {{code: string, message?: string, limit?: {name: string, value: number}, details?: object[]}} error
 */
export function errorMessage(status, { code, message, limit, details }) {
  const words = (limit && LIMITS[limit.name]?.(limit.value)) ?? CODES[code] ?? placed(details?.[0]) ?? message;
  return words ?? `${CODES.unknown} (${status})`;
}

/** The message of an invalid place of an utterance, such as `utterances.0.speaker`. */
function placed(detail) {
  const [, place, field] = /^utterances\.(\d+)\.(\w+)/.exec(detail?.place) ?? [];
  if (!field) return undefined;
  return `In utterance ${Number(place) + 1}, ${field} ${detail.message.replace(/^(String|Input) /, "")}.`;
}
