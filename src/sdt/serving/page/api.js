/** Requests to the service. */

import { errorMessage } from "./messages.js";

/** An error response, or no response; its message is for the user. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 if there is no response.
   * @param {{code: string, message?: string}} error The error of the service; see `errorMessage`.
   */
  constructor(status, error) {
    super(errorMessage(status, error));
    [this.status, this.code, this.details] = [status, error.code, error.details ?? []];
  }
}

const KEPT = "sdt-token";
const POLL = 400;

/** The token of the service: stored for this tab, and sent to this service only. */
export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (value) => sessionStorage.setItem(KEPT, value),
  forget: () => sessionStorage.removeItem(KEPT),
};

/** The model of the service; see GET /v1/model. */
export async function model() {
  return request("v1/model");
}

/**
 * Convert a transcript with one conversation or several to JSON.
 * @param {File} file
 * @param {AbortSignal} signal Cancels the request; the error has the code `cancelled`.
 * @param {string} encoding Of the file; empty if the service is to detect it.
 * @returns {Promise<{conversations: object[], notes: string[]}>} Conversations in the format of `predict`.
 */
export async function transcript(file, signal, encoding = "") {
  const body = new FormData();
  body.append("transcript", file, file.name);
  if (encoding) body.append("encoding", encoding);
  return request("v1/transcript", { method: "POST", body, signal });
}

/** The file formats of the service; see GET /v1/formats. */
export async function formats() {
  return (await request("v1/formats")).formats;
}

/**
 * Convert JSON Lines of this page to another format.
 * @param {string} text The lines.
 * @param {string} to The name of the format.
 * @returns {Promise<{content: string, suffix: string, losses: {name: string, count: number, first: string}[]}>}
 */
export async function convert(text, to) {
  const body = new FormData();
  body.append("transcript", new Blob([text]), "conversation.jsonl");
  return request(`v1/convert?to=${encodeURIComponent(to)}`, { method: "POST", body });
}

/**
 * Predict the emotions of a conversation.
 * @param {FormData | object} body A form, or a conversation.
 * @param {(progress: {stage: string, modality?: string, done: number, total: number}) => void} onProgress Called
 *   meanwhile: with the stage `sending` in bytes, then with those of GET /v1/progress in utterances.
 * @param {AbortSignal} signal Cancels the request; the error has the code `cancelled`.
 * @param {{features?: boolean}} more `features` if the predictions are to have the features of the recording.
 */
export function predict(body, onProgress, signal, { features = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch reports no progress of uploads
    const id = randomId();
    request.open("POST", features ? "v1/predict?features=true" : "v1/predict");
    for (const [name, value] of Object.entries({ ...headers(), "x-progress-id": id }))
      request.setRequestHeader(name, value);
    const form = body instanceof FormData;
    if (!form) request.setRequestHeader("content-type", "application/json");
    const polling = new AbortController();
    request.upload.addEventListener("progress", (event) =>
      onProgress({ stage: "sending", done: event.loaded, total: event.total }),
    );
    request.upload.addEventListener("load", () => poll(id, onProgress, polling.signal));
    request.addEventListener("loadend", () => polling.abort());
    request.addEventListener("load", () => {
      try {
        resolve(parsed(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener("error", () => reject(new ApiError(0, { code: "unreachable" })));
    request.addEventListener("abort", () => reject(new ApiError(0, { code: "cancelled" })));
    signal.addEventListener("abort", () => request.abort());
    request.send(form ? body : JSON.stringify(body));
  });
}

/** A random id; crypto.randomUUID is not available over plain HTTP. */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Poll the progress of a request; its stage is unknown after its end, or if a proxy removes its id. */
async function poll(id, onProgress, signal) {
  while (!signal.aborted) {
    try {
      const response = await fetch(`v1/progress/${id}`, { headers: headers(), signal });
      const progress = await response.json();
      if (response.ok && !signal.aborted) onProgress(progress);
    } catch {
      // The request itself reports the error.
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

async function request(path, more = {}) {
  let response, text;
  try {
    response = await fetch(path, { headers: headers(), ...more });
    text = await response.text();
  } catch {
    throw new ApiError(0, { code: more.signal?.aborted ? "cancelled" : "unreachable" });
  }
  return parsed(response.status, text);
}

function headers() {
  const value = token.get();
  return value ? { authorization: `Bearer ${value}` } : {};
}

/** The JSON of a response. */
function parsed(status, text) {
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Not a response of this service, but perhaps of a proxy.
  }
  if (status >= 200 && status < 300 && value) return value;
  throw new ApiError(status, value?.error ?? { code: "unknown" });
}
