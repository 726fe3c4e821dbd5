/**
 * The waveform of the recording, with a region for each utterance, and the controls of the playback.
 *
 * The component is wavesurfer.js (vendor/). It writes its scaffold as HTML with a style sheet in it, which the policy of this
 * page forbids: whatever it writes, a Trusted Types policy replaces it by `SCAFFOLD`, and the style sheet is adopted.
 */

import { h } from "./dom.js";
import { shownEmotion } from "./conversation.js";
import { retime } from "./edits.js";
import { clock } from "./format.js";
import { LONGEST, peaksOf } from "./peaks.js";

const SCAFFOLD =
  '<div class="scroll" part="scroll"><div class="wrapper" part="wrapper"><div class="canvases" part="canvases"></div>' +
  '<div class="progress" part="progress"></div><div class="cursor" part="cursor"></div></div></div>';
const HEIGHT = 96;
const SHEET = `
  :host { user-select: none; min-width: 1px; }
  .scroll { overflow-x: auto; overflow-y: hidden; width: 100%; position: relative; }
  .wrapper { position: relative; overflow: visible; z-index: 2; }
  .canvases { min-height: ${HEIGHT}px; pointer-events: none; }
  .canvases > div, .progress > div { position: relative; }
  canvas { display: block; position: absolute; top: 0; image-rendering: pixelated; }
  .progress { pointer-events: none; position: absolute; z-index: 2; top: 0; left: 0; width: 0; height: 100%; overflow: hidden; }
  .cursor { pointer-events: none; position: absolute; z-index: 5; top: 0; left: 0; height: 100%; border-radius: 2px; }
`;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
/** Pixels per second: at first, the least, the most. */
const [USUAL, LEAST, MOST] = [40, 1, 400];

globalThis.trustedTypes?.createPolicy("default", { createHTML: (text) => (text === "" ? "" : SCAFFOLD) });

/** The element is `element`; it follows the conversation and the player. */
export class Waveform {
  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {(label: string | null) => {hue: number, strength: number}} colour See palette.js.
   * @param {import("./player.js").Player} player Has a recording.
   * @param {(item: object) => void} chosen Called with the utterance whose region is clicked.
   * @param {boolean} editable Whether the edges of regions can be dragged.
   */
  constructor(conversation, colour, player, chosen, editable) {
    Object.assign(this, { conversation, colour, player, chosen, editable, scale: USUAL, surfer: null, regions: null });
    const button = (name, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, name);
    this.play = button("▶ Play", () => player.playOn(), { title: "Play or pause (K, or the space bar)" });
    this.loop = button("Repeat", () => player.setLoop(!player.loop), { "aria-pressed": "false", title: "Repeat the selected utterance (L)" });
    this.time = h("span", { class: "faint time" });
    const speed = h(
      "select",
      { "aria-label": "Speed", onchange: (event) => (player.media.playbackRate = Number(event.target.value)) },
      ...SPEEDS.map((one) => h("option", { value: one, selected: one === 1 }, `${one}×`)),
    );
    this.place = h("div", { class: "surface" });
    this.note = h("p", { class: "faint" });
    this.element = h(
      "div",
      { class: "waveform" },
      h(
        "div",
        { class: "group", role: "group", "aria-label": "Playback" },
        this.play,
        this.time,
        speed,
        this.loop,
        h("span", { class: "gap" }),
        button("−", () => this.zoom(1 / 1.6), { "aria-label": "Zoom out of the waveform", title: "Zoom out" }),
        button("Fit", () => this.zoom(0), { title: "Fit the recording to the screen" }),
        button("+", () => this.zoom(1.6), { "aria-label": "Zoom into the waveform", title: "Zoom in" }),
      ),
      this.place,
      this.note,
    );
    for (const what of ["play", "pause", "timeupdate", "seeked", "durationchange"]) player.media.addEventListener(what, () => this.write());
    player.media.addEventListener("error", () => (this.element.hidden = true));
    player.element.addEventListener("loop", () => this.write());
    for (const what of ["rebuilt", "label", "filter", "current"]) conversation.addEventListener(what, () => this.mark());
    this.begin();
    this.write();
  }

  /** Draw, once the duration is known. */
  async begin() {
    const { media } = this.player;
    this.note.textContent = "Reading the recording …";
    await new Promise((known) => {
      const check = () => Number.isFinite(media.duration) && media.duration > 0 && known();
      for (const what of ["loadedmetadata", "durationchange"]) media.addEventListener(what, check);
      check();
    });
    const { duration } = media;
    const [peaks, { default: WaveSurfer }, { default: Regions }] = await Promise.all([
      peaksOf(this.player.file, duration),
      import("./vendor/wavesurfer.js"),
      import("./vendor/regions.js"),
    ]);
    if (this.closed) return;
    this.note.textContent = peaks
      ? ""
      : duration > LONGEST
        ? `The waveform is drawn for recordings of up to ${LONGEST / 60} minutes; the utterances are shown without it.`
        : "This browser cannot draw the waveform of this recording.";
    this.note.hidden = Boolean(peaks);
    const style = getComputedStyle(this.element);
    const shade = (name) => style.getPropertyValue(name).trim();
    this.regions = Regions.create();
    this.surfer = WaveSurfer.create({
      container: this.place,
      media,
      peaks: [peaks ?? new Float32Array(2)],
      duration,
      height: HEIGHT,
      normalize: true,
      waveColor: shade("--edge"),
      progressColor: shade("--ink"),
      cursorColor: shade("--accent"),
      cursorWidth: 2,
      minPxPerSec: this.scale,
      plugins: [this.regions],
    });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SHEET);
    this.surfer.getWrapper().getRootNode().adoptedStyleSheets = [sheet];
    this.regions.on("region-clicked", (region) => this.clicked(region));
    this.regions.on("region-updated", (region) => this.dragged(region));
    this.surfer.on("ready", () => this.mark());
    this.mark();
  }

  /** Draw the regions again. */
  mark() {
    if (!this.surfer || this.dragging) return;
    this.regions.clearRegions();
    for (const item of this.conversation.items) {
      if (item.start === null || !this.conversation.shows(item)) continue;
      const { hue, strength } = this.colour(shownEmotion(item));
      const current = item === this.conversation.current;
      this.regions.addRegion({
        id: `utterance-${item.place}`,
        start: item.start,
        end: item.end ?? item.start + 0.5,
        color: `oklch(0.65 ${strength} ${hue} / ${current ? 0.55 : 0.28})`,
        content: current ? (shownEmotion(item) ?? "") : undefined,
        drag: false,
        resize: this.editable && current,
        minLength: 0.05,
      });
    }
  }

  of(region) {
    return this.conversation.items[Number(region.id.replace("utterance-", ""))];
  }

  clicked(region) {
    const at = this.player.media.currentTime;
    this.chosen(this.of(region));
    this.player.media.currentTime = Math.max(at, 0);
  }

  dragged(region) {
    const item = this.of(region);
    const records = item && retime(item, region.start, region.end);
    if (!records) return;
    const [edited] = this.conversation.edit(item.place, 1, records);
    this.conversation.look(edited);
  }

  zoom(factor) {
    if (!this.surfer) return;
    const fitting = this.place.clientWidth / this.player.media.duration;
    this.scale = factor ? Math.min(Math.max(Math.max(this.scale, fitting) * factor, LEAST), MOST) : 0;
    this.surfer.zoom(this.scale);
  }

  write() {
    const { media, loop } = this.player;
    const label = media.paused ? "▶ Play" : "❚❚ Pause";
    if (this.play.textContent !== label) this.play.textContent = label;
    this.loop.setAttribute("aria-pressed", String(loop));
    const whole = Number.isFinite(media.duration) ? ` / ${clock(media.duration)}` : "";
    this.time.textContent = `${clock(media.currentTime, true)}${whole}`;
  }

  close() {
    this.closed = true;
    this.surfer?.destroy();
  }
}
