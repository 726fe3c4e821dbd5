/** What is asked of the service, and how it is asked. */

import { inWords } from "./words.js";

/** An answer that is no answer; its message is for people. */
export class Refused extends Error {
  /**
   * @param {number} status 0: nobody answered.
   * @param {{code: string, message?: string}} error As the service says it; see `inWords`.
   */
  constructor(status, error) {
    super(inWords(status, error));
    [this.status, this.code] = [status, error.code];
  }
}

const KEPT = "sdt-token";
const POLL = 400;

/** The service's token: kept for this tab alone, and sent to this service alone. */
export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (value) => sessionStorage.setItem(KEPT, value),
  forget: () => sessionStorage.removeItem(KEPT),
};

/** What answers here; see GET /v1/model. */
export async function model() {
  return asked("v1/model");
}

/**
 * Read a transcript, of one conversation or several.
 * @param {File} file
 * @param {AbortSignal} signal Gives it up; then the promise is refused with the code `cancelled`.
 * @returns {Promise<{conversations: object[], notes: string[]}>} Each conversation as `predict` takes it.
 */
export async function transcript(file, signal) {
  const body = new FormData();
  body.append("transcript", file, file.name);
  return asked("v1/transcript", { method: "POST", body, signal });
}

/**
 * Ask for predictions.
 * @param {FormData | object} body A form, or a conversation.
 * @param {(told: {stage: string, modality?: string, done: number, total: number}) => void} told Called while it lasts:
 *   the stage `sending`, in bytes, then those of GET /v1/progress, in utterances.
 * @param {AbortSignal} signal Gives it up; then the promise is refused with the code `cancelled`.
 */
export function predict(body, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not say how much of a body is sent
    const id = randomId();
    request.open("POST", "v1/predict");
    for (const [name, value] of Object.entries({ ...headers(), "x-progress-id": id }))
      request.setRequestHeader(name, value);
    const form = body instanceof FormData;
    if (!form) request.setRequestHeader("content-type", "application/json");
    const polling = new AbortController();
    request.upload.addEventListener("progress", (event) =>
      told({ stage: "sending", done: event.loaded, total: event.total }),
    );
    request.upload.addEventListener("load", () => poll(id, told, polling.signal));
    request.addEventListener("loadend", () => polling.abort());
    request.addEventListener("load", () => {
      try {
        resolve(answered(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener("error", () => reject(new Refused(0, { code: "unreachable" })));
    request.addEventListener("abort", () => reject(new Refused(0, { code: "cancelled" })));
    signal.addEventListener("abort", () => request.abort());
    request.send(form ? body : JSON.stringify(body));
  });
}

/** An id that nobody else has; on plain HTTP there is no crypto.randomUUID. */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask again and again how far a request is; if it has ended, or a proxy does not pass its id, there is no word. */
async function poll(id, told, signal) {
  while (!signal.aborted) {
    try {
      const answer = await fetch(`v1/progress/${id}`, { headers: headers(), signal });
      const said = await answer.json();
      if (answer.ok && !signal.aborted) told(said);
    } catch {
      // The request itself will say what is wrong.
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

async function asked(path, more = {}) {
  let answer, text;
  try {
    answer = await fetch(path, { headers: headers(), ...more });
    text = await answer.text();
  } catch {
    throw new Refused(0, { code: more.signal?.aborted ? "cancelled" : "unreachable" });
  }
  return answered(answer.status, text);
}

function headers() {
  const value = token.get();
  return value ? { authorization: `Bearer ${value}` } : {};
}

/** The JSON of an answer. */
function answered(status, text) {
  let said = null;
  try {
    said = JSON.parse(text);
  } catch {
    // Not of this service: a proxy's, perhaps.
  }
  if (status >= 200 && status < 300 && said) return said;
  throw new Refused(status, said?.error ?? { code: "unknown" });
}
