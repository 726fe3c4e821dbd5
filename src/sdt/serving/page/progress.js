/** The progress of a request, its elapsed time, and the button that cancels it. */

import { byId } from "./dom.js";
import { clock, size } from "./format.js";

const NAMES = {
  receiving: "Reading files",
  waiting: "Waiting for another recording",
  predicting: "Recognising emotions",
};

/**
 * Show the progress of a piece of work until it ends.
 * @param {(onProgress: (progress: object) => void, signal: AbortSignal) => Promise<T>} work See `predict` in api.js.
 * @returns {Promise<T>} The result of the work.
 * @template T
 */
export async function withProgress(work) {
  const [box, bar, stage, elapsed] = ["progress", "bar", "stage", "elapsed"].map(byId);
  const controller = new AbortController();
  const begun = performance.now();
  const cancel = () => controller.abort();
  const tick = () => (elapsed.textContent = clock((performance.now() - begun) / 1000));
  const show = (progress) => {
    const name = stageName(progress);
    if (name && stage.textContent !== name) stage.textContent = name;
    if (progress.total) [bar.max, bar.value] = [progress.total, progress.done];
    else bar.removeAttribute("value");
  };
  show({ stage: "predicting", done: 0, total: 0 });
  tick();
  const clockwork = setInterval(tick, 500);
  byId("cancel").addEventListener("click", cancel);
  box.hidden = false;
  try {
    return await work(show, controller.signal);
  } finally {
    clearInterval(clockwork);
    byId("cancel").removeEventListener("click", cancel);
    box.hidden = true;
  }
}

function stageName({ stage, modality, done, total }) {
  if (stage === "sending") return done < total ? `Sending ${size(done)} of ${size(total)}` : NAMES.receiving;
  if (stage === "decoding") return `Reading the recording (${modality}): utterance ${done} of ${total}`;
  if (stage === "conversations") return `Recognising emotions: conversation ${done + 1} of ${total}`;
  return NAMES[stage] ?? null;
}
