/** Runs in the audio thread: collects the sound of the microphone and posts it as 16-bit samples. */

/** Samples of a message: an eighth of a second at 16 kHz. */
const SIZE = 2048;

class Sound extends AudioWorkletProcessor {
  constructor() {
    super();
    [this.samples, this.count] = [new Int16Array(SIZE), 0];
  }

  process([[channel]]) {
    for (const value of channel ?? []) {
      this.samples[this.count++] = Math.max(-1, Math.min(1, value)) * 32767;
      if (this.count < SIZE) continue;
      this.port.postMessage(this.samples, [this.samples.buffer]);
      [this.samples, this.count] = [new Int16Array(SIZE), 0];
    }
    return true;
  }
}

registerProcessor("sdt-sound", Sound);
