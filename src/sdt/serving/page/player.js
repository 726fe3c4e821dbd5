/** The recording, of which just the stretch of an utterance is played. It never leaves the browser for that. */

import { announce, h } from "./dom.js";
import { stretch } from "./format.js";

/** See `element`; made once for a conversation. */
export class Player {
  /** @param {File | null} file The recording. */
  constructor(file) {
    this.item = null;
    this.until = null; // seconds; null: to the end of the recording
    this.url = file ? URL.createObjectURL(file) : null;
    this.media = file
      ? h("video", { src: this.url, controls: true, preload: "metadata", playsinline: true, "aria-label": "Recording" })
      : null;
    this.button = h("button", { type: "button", onclick: () => this.toggle() });
    this.note = h("p", { class: "faint" }, file ? "" : "No recording was given.");
    this.element = h("div", { class: "player" }, this.media, file && h("p", {}, this.button), this.note);
    this.media?.addEventListener("loadedmetadata", () =>
      this.media.classList.toggle("sound", this.media.videoWidth === 0),
    );
    this.media?.addEventListener("error", () => this.broken());
    for (const what of ["play", "pause", "ended"]) this.media?.addEventListener(what, () => this.write());
    this.media?.addEventListener("play", () => this.watch());
    this.media?.addEventListener("timeupdate", () => this.check());
  }

  /** Be ready for an utterance. */
  show(item) {
    if (item === this.item) return;
    this.item = item;
    this.until = null;
    this.media?.pause();
    if (this.media && item.start !== null) this.seek(item.start);
    this.write();
  }

  /** Play the stretch from its beginning, or stop. */
  toggle() {
    if (!this.media || !this.item || this.button.disabled) return;
    if (!this.media.paused) {
      this.media.pause();
      return;
    }
    this.until = this.item.end;
    this.media.currentTime = this.item.start ?? 0;
    this.media.play().catch(() => announce("The recording cannot be played."));
  }

  /** Give the recording back. */
  close() {
    this.media?.pause();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  seek(seconds) {
    if (this.media.readyState >= 1) this.media.currentTime = seconds;
    else
      this.media.addEventListener(
        "loadedmetadata",
        () => this.item?.start === seconds && (this.media.currentTime = seconds),
        { once: true },
      );
  }

  /** Look at each picture, since `timeupdate` comes only four times a second; a hidden page has that alone. */
  watch() {
    if (this.media.paused) return;
    this.check();
    requestAnimationFrame(() => this.watch());
  }

  check() {
    if (this.until === null || this.media.paused || this.media.currentTime < this.until) return;
    this.until = null;
    this.media.pause();
  }

  write() {
    if (!this.media || !this.item) return;
    const when = stretch(this.item);
    this.button.textContent = this.media.paused ? `▶ Play ${when || "the recording"}` : "■ Stop";
  }

  broken() {
    this.note.textContent = "This browser cannot play this recording. The emotions are not affected.";
    this.media.hidden = this.button.disabled = true;
  }
}
