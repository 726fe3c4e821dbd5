/** How far a request is, how long it has lasted, and the button that gives it up. */

import { byId } from "./dom.js";
import { clock, size } from "./format.js";

const NAMES = {
  receiving: "Reading the files",
  waiting: "Waiting until another recording is read",
  predicting: "Recognising emotions",
};

/**
 * Show the progress of a piece of work until it ends.
 * @param {(told: (said: object) => void, signal: AbortSignal) => Promise<T>} work Called once; see `predict` in api.js.
 * @returns {Promise<T>} What the work gives.
 * @template T
 */
export async function waited(work) {
  const [box, bar, stage, elapsed] = ["progress", "bar", "stage", "elapsed"].map(byId);
  const given = new AbortController();
  const begun = performance.now();
  const cancel = () => given.abort();
  const tick = () => (elapsed.textContent = clock((performance.now() - begun) / 1000));
  const told = (said) => {
    const name = named(said);
    if (name && stage.textContent !== name) stage.textContent = name;
    if (said.total) [bar.max, bar.value] = [said.total, said.done];
    else bar.removeAttribute("value");
  };
  told({ stage: "predicting", done: 0, total: 0 });
  tick();
  const clockwork = setInterval(tick, 500);
  byId("cancel").addEventListener("click", cancel);
  box.hidden = false;
  try {
    return await work(told, given.signal);
  } finally {
    clearInterval(clockwork);
    byId("cancel").removeEventListener("click", cancel);
    box.hidden = true;
  }
}

function named({ stage, modality, done, total }) {
  if (stage === "sending") return done < total ? `Sending ${size(done)} of ${size(total)}` : NAMES.receiving;
  if (stage === "decoding") return `Reading the recording (${modality}): utterance ${done} of ${total}`;
  if (stage === "conversations") return `Recognising emotions: conversation ${done + 1} of ${total}`;
  return NAMES[stage] ?? null;
}
