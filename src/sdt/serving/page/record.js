/** The button that records a file from the microphone. */

import { announce, byId } from "./dom.js";
import { clock } from "./format.js";
import { microphoneError, Recording, unavailable } from "./microphone.js";

/**
 * @param {(file: File) => void} taken Called with the recording.
 * @param {(message: string) => void} failed
 */
export function recordButton(taken, failed) {
  const [button, state] = [byId("record"), byId("record-state")];
  let [recording, timer] = [null, 0];
  const why = unavailable();
  byId("record-row").hidden = false;
  if (why) {
    button.disabled = true;
    state.textContent = why;
    return;
  }
  const write = () => {
    button.textContent = recording ? "■ Stop recording" : "● Record from the microphone";
    state.textContent = recording ? clock(recording.seconds) : "";
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      if (recording) {
        const file = await recording.end();
        recording = null;
        clearInterval(timer);
        taken(file);
        announce("Recorded");
      } else {
        failed("");
        recording = await Recording.begin();
        timer = setInterval(write, 250);
      }
    } catch (error) {
      failed(microphoneError(error));
    }
    button.disabled = false;
    write();
  });
  write();
}
