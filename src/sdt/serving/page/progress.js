/** The progress of a request, its elapsed time, and the button that cancels it. */

import { byId } from "./dom.js";
import { clock, size } from "./format.js";

const NAMES = {
  receiving: "Reading files",
  waiting: "Waiting for another recording",
  predicting: "Recognising emotions",
  speakers: "Telling the speakers apart",
  words: "Recognising the words",
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
  const left = timeLeft();
  const tick = () => (elapsed.textContent = clock((performance.now() - begun) / 1000) + left.text());
  const show = (progress) => {
    left.note(progress);
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

/** Estimates the time that the current stage still takes. */
function timeLeft() {
  let [stage, began, first, share, at] = ["", 0, 0, 0, 0];
  return {
    note({ stage: now, modality, done, total }) {
      const name = `${now} ${modality ?? ""}`;
      if (name !== stage) [stage, began, first] = [name, performance.now(), total ? done / total : 0];
      [share, at] = [total ? done / total : 0, performance.now()];
    },
    text() {
      const [seconds, made] = [(at - began) / 1000, share - first];
      if (seconds < 1 || made <= 0.02 || share >= 1) return "";
      const rest = (seconds / made) * (1 - share) - (performance.now() - at) / 1000;
      return `, about ${clock(Math.max(1, Math.ceil(rest)))} left in this step`;
    },
  };
}

function stageName({ stage, modality, done, total }) {
  if (stage === "sending") return done < total ? `Sending ${size(done)} of ${size(total)}` : NAMES.receiving;
  if (stage === "decoding") return `Reading the recording (${modality}): utterance ${done} of ${total}`;
  if ((stage === "speakers" || stage === "words") && total) return `${NAMES[stage]}: ${clock(done)} of ${clock(total)}`;
  if (stage === "conversations") return `Recognising emotions: conversation ${done + 1} of ${total}`;
  return NAMES[stage] ?? null;
}
