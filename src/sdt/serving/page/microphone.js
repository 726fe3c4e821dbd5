/** The microphone: records a file, or hands its sound on as it comes. */

/** Why there is no microphone; empty if there may be one. */
export function unavailable() {
  if (!globalThis.isSecureContext) return "Browsers allow the microphone only on this machine (localhost) or over HTTPS.";
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder) return "This browser cannot record sound.";
  return "";
}

/** What went wrong, for the user. */
export function microphoneError(error) {
  const words = {
    NotAllowedError: "The browser does not allow this page to use the microphone. Allow it in the address bar.",
    NotFoundError: "No microphone was found.",
    NotReadableError: "The microphone is used by another program.",
  };
  return words[error.name] ?? `The microphone cannot be used (${error.name}).`;
}

/** The voice as it is: what makes speech clearer also makes it less expressive. */
function open() {
  return navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false } });
}

/** A recording in progress. */
export class Recording {
  /** Start to record. @returns {Promise<Recording>} */
  static async begin() {
    return new Recording(await open());
  }

  /** @param {MediaStream} stream */
  constructor(stream) {
    [this.stream, this.parts, this.began] = [stream, [], performance.now()];
    this.recorder = new MediaRecorder(stream);
    this.recorder.addEventListener("dataavailable", (event) => this.parts.push(event.data));
    this.recorder.start(1000);
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  /** Stop, and release the microphone. @returns {Promise<File>} */
  async end() {
    const ended = new Promise((resolve) => this.recorder.addEventListener("stop", resolve, { once: true }));
    this.recorder.stop();
    await ended;
    for (const track of this.stream.getTracks()) track.stop();
    const type = this.recorder.mimeType || "audio/webm";
    const suffix = /ogg/.test(type) ? "ogg" : /mp4/.test(type) ? "m4a" : "webm";
    const stamp = new Date().toISOString().slice(0, 16).replace("T", "-").replace(":", "");
    return new File(this.parts, `recording-${stamp}.${suffix}`, { type });
  }
}

/** The sampling rate of live sound; the service expects it. */
const RATE = 16_000;

/** Live sound. */
export class LiveSound {
  /**
   * Start to listen.
   * @param {(sound: Int16Array) => void} onSound Called about eight times a second.
   * @returns {Promise<LiveSound>}
   */
  static async begin(onSound) {
    const stream = await open();
    const context = new AudioContext({ sampleRate: RATE });
    try {
      await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
      const node = new AudioWorkletNode(context, "sdt-sound", { numberOfOutputs: 0 });
      node.port.addEventListener("message", (event) => onSound(event.data));
      node.port.start();
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      context.close();
      throw error;
    }
    return new LiveSound(stream, context);
  }

  constructor(stream, context) {
    [this.stream, this.context] = [stream, context];
  }

  /** Release the microphone. */
  end() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}
