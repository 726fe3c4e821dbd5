/** The player: plays the part of an utterance from the local recording. */

import { announce, h } from "./dom.js";
import { stretch } from "./format.js";

/** The player is `element`; one for each conversation. */
export class Player {
  /** @param {File | null} file The recording. */
  constructor(file) {
    [this.file, this.item] = [file, null];
    this.until = null; // seconds; null for the end of the recording
    [this.from, this.loop] = [0, false]; // of the part that is played
    this.url = file ? URL.createObjectURL(file) : null;
    this.media = file
      ? h("video", { src: this.url, controls: true, preload: "metadata", playsinline: true, "aria-label": "Recording" })
      : null;
    this.button = h("button", { type: "button", onclick: () => this.toggle() });
    this.note = h("p", { class: "faint" }, file ? "" : "No recording");
    this.element = h("div", { class: "player" }, this.media, file && h("p", {}, this.button), this.note);
    this.media?.addEventListener("loadedmetadata", () => {
      this.media.classList.toggle("sound", this.media.videoWidth === 0);
      // What a browser has recorded states no duration; it is found by going to the end.
      if (this.media.duration !== Infinity) return;
      const back = () => Number.isFinite(this.media.duration) && (this.media.currentTime = this.item?.start ?? 0);
      this.media.addEventListener("seeked", back, { once: true });
      this.media.currentTime = 1e9;
    });
    this.media?.addEventListener("error", () => this.broken());
    for (const what of ["play", "pause", "ended"]) this.media?.addEventListener(what, () => this.write());
    this.media?.addEventListener("play", () => this.watch());
    this.media?.addEventListener("timeupdate", () => this.check());
  }

  /** Select an utterance. */
  show(item) {
    if (item === this.item) return;
    this.item = item;
    this.until = null;
    this.media?.pause();
    if (this.media && item.start !== null) this.seek(item.start);
    this.write();
  }

  /** Play the utterance from its start, or stop. */
  toggle() {
    if (!this.media || !this.item || this.button.disabled) return;
    if (!this.media.paused) {
      this.media.pause();
      return;
    }
    this.playRange(this.item.start ?? 0, this.item.end);
  }

  /** Play a part of the recording. */
  playRange(from, until) {
    [this.from, this.until] = [from, until];
    this.media.currentTime = from;
    this.start();
  }

  /** Play on from where the cursor is, or stop. */
  playOn() {
    if (!this.media || this.media.hidden) return;
    if (!this.media.paused) return void this.media.pause();
    this.until = null;
    if (this.loop && this.item?.end) return this.playRange(this.item.start, this.item.end);
    this.start();
  }

  /** Whether a part of the recording is played again and again. */
  setLoop(loop) {
    this.loop = loop;
    this.element.dispatchEvent(new CustomEvent("loop"));
    announce(loop ? "The selected utterance is repeated" : "Nothing is repeated");
  }

  start() {
    this.media.play().catch(() => announce("The recording cannot be played."));
  }

  /** Release the recording. */
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

  /** Check the time with each frame: `timeupdate` fires only four times a second, but also on hidden pages. */
  watch() {
    if (this.media.paused) return;
    this.check();
    requestAnimationFrame(() => this.watch());
  }

  check() {
    if (this.until === null || this.media.paused || this.media.currentTime < this.until) return;
    if (this.loop) {
      this.media.currentTime = this.from;
      return;
    }
    this.until = null;
    this.media.pause();
  }

  write() {
    if (!this.media || !this.item) return;
    const when = stretch(this.item);
    this.button.textContent = this.media.paused ? `▶ Play ${when || "the recording"}` : "■ Stop";
  }

  broken() {
    this.note.textContent = "This browser cannot play the recording. The predictions are not affected.";
    this.media.hidden = this.button.disabled = true;
  }
}
