/** The timeline: a lane for each speaker, a box for each utterance. */

import { h } from "./dom.js";
import { shownEmotion, statusOf } from "./conversation.js";
import { emotionParts } from "./emotion.js";
import { clock, count, emotionWords, spoken } from "./format.js";
import { paint } from "./palette.js";
import { weightBar } from "./weights.js";

/** Widths in pixels: the usual box, the narrowest with text, and the narrowest with a letter; then the gap. */
const [BOX, NARROW, SLIVER, GAP] = [138, 74, 22, 3];
const [LEAST, MOST] = [0.05, 600];
const TICK = 84;
const LATE = 600; // seconds: if the first utterance is later, the empty time before it is cut
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** The timeline is `element`; it follows the conversation. */
export class Timeline {
  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {(label: string) => object} colour See palette.js.
   */
  constructor(conversation, colour) {
    [this.conversation, this.colour] = [conversation, colour];
    this.boxes = []; // of the items, by place
    this.lanes = new Map(); // speaker to {track, rows}
    this.byTime = conversation.timed;
    this.whole = 1; // its length in seconds or utterances
    this.origin = 0; // the time at its left end
    this.axis = h("div", { class: "ticks" });
    this.element = h(
      "div",
      { class: "timeline", role: "group", "aria-label": "Timeline, a lane for each speaker" },
      h("div", { class: "lane axis", "aria-hidden": "true" }, h("div", { class: "lane-name" }), this.axis),
    );
    conversation.items.forEach((item) => this.add(item));
    this.scale = this.usual();
    this.place();
    this.filter();
    conversation.addEventListener("added", (event) => this.added(event.detail));
    conversation.addEventListener("label", (event) => this.write(event.detail));
    conversation.addEventListener("filter", () => this.filter());
    conversation.addEventListener("rebuilt", () => this.rebuild());
    conversation.addEventListener("current", () => this.mark());
  }

  /** The box of an utterance. */
  of(item) {
    return this.boxes[item.place];
  }

  /** Lay out by time or in the order of the utterances. */
  spread(byTime) {
    this.byTime = byTime && this.conversation.timed;
    this.place();
    this.zoom(null);
  }

  /** Zoom by a factor; 0 fits the screen, null restores the initial zoom. */
  zoom(factor) {
    const room = this.element.clientWidth - this.axis.offsetLeft - 8;
    const scale = factor === null ? this.usual() : factor === 0 ? room / this.whole : this.scale * factor;
    const middle = (this.element.scrollLeft + room / 2) / this.scale;
    this.scale = Math.min(Math.max(scale, LEAST), MOST);
    this.place();
    this.element.scrollLeft = middle * this.scale - room / 2;
  }

  /** Scroll to the first utterance: a recording may begin with silence. */
  begin() {
    const [first] = this.conversation.items;
    if (this.byTime && first) this.element.scrollLeft = Math.max(0, (first.start - this.origin - 0.3) * this.scale);
  }

  /** Pixels for a second, or for an utterance, at which most boxes are legible. */
  usual() {
    if (!this.byTime) return BOX;
    const lengths = this.conversation.items.map(duration).sort((a, b) => a - b);
    return Math.min(Math.max(BOX / (lengths[Math.floor(lengths.length / 3)] || 1), LEAST), MOST);
  }

  added(item) {
    this.add(item);
    this.byTime &&= this.conversation.timed;
    this.place();
    this.filter();
    this.element.scrollLeft = this.element.scrollWidth;
  }

  /** Draw all utterances again. */
  rebuild() {
    for (const { track } of this.lanes.values()) track.parentElement.remove();
    this.lanes.clear();
    this.boxes = [];
    this.conversation.items.forEach((item) => this.add(item));
    this.byTime &&= this.conversation.timed;
    this.place();
    this.filter();
  }

  add(item) {
    const box = h("button", { type: "button", class: "utterance painted", tabindex: -1, "data-place": item.place });
    this.boxes.push(box);
    if (!this.lanes.has(item.speaker)) this.lanes.set(item.speaker, this.lane(item.speaker));
    this.lanes.get(item.speaker).track.append(box);
    this.write(item);
  }

  lane(speaker) {
    const track = h("div", { class: "track" });
    const name = h("div", { class: "lane-name", title: speaker }, h("span", {}, speaker));
    this.element.append(h("div", { class: "lane", role: "group", "aria-label": speaker }, name, track));
    return { track, name };
  }

  /** Fill a box. */
  write(item) {
    const box = this.of(item);
    const emotion = h("span", { class: "emotion" }, ...emotionParts(item));
    box.replaceChildren(emotion, h("span", { class: "words" }, item.text ?? "no text"), weightBar(item.weights) ?? "");
    for (const status of ["corrected", "confirmed"]) box.classList.toggle(status, statusOf(item) === status);
    box.setAttribute("aria-label", spoken(item));
    box.title = `${item.speaker}: ${emotionWords(item)} – ${item.text ?? "no text"}`;
    paint(box, this.colour(shownEmotion(item)));
    if (this.scale && this.boxes.length === this.conversation.items.length) this.filter();
  }

  /** Position the boxes. */
  place() {
    const { items } = this.conversation;
    this.origin = this.byTime ? beginning(items) : 0;
    this.whole = this.byTime
      ? items.reduce((most, item) => Math.max(most, item.start + duration(item) - this.origin), 1)
      : Math.max(items.length, 1);
    const width = `${Math.ceil(this.whole * this.scale)}px`;
    for (const [speaker, lane] of this.lanes) {
      const said = this.conversation.items.filter((item) => item.speaker === speaker);
      const rows = this.byTime ? stacked(said) : said.map(() => 0);
      said.forEach((item, turn) => this.put(item, rows[turn], following(said, rows, turn)));
      lane.track.style.width = width;
      lane.track.style.setProperty("--rows", Math.max(...rows) + 1);
      lane.track.parentElement.setAttribute("aria-label", `${speaker}, ${count(said.length, "utterance")}`);
    }
    this.axis.style.width = width;
    this.axis.replaceChildren(...this.ticks());
  }

  /** Position a box; `next` follows in its row. */
  put(item, row, next) {
    const start = this.byTime ? item.start - this.origin : item.place;
    let width = (this.byTime ? duration(item) : 1) * this.scale - GAP;
    const room = ((this.byTime && next ? next.start - this.origin : this.whole) - start) * this.scale - 1;
    width = Math.max(Math.min(Math.max(width, SLIVER), room), 2);
    const { style, dataset } = this.of(item);
    [style.left, style.width] = [`${start * this.scale}px`, `${width}px`];
    style.setProperty("--row", row);
    dataset.size = width < SLIVER ? "sliver" : width < NARROW ? "narrow" : "wide";
  }

  *ticks() {
    const step = this.byTime ? (STEPS.find((one) => one * this.scale >= TICK) ?? 7200) : Math.ceil(40 / this.scale);
    for (let at = 0; at < this.whole; at += step) {
      const tick = h("span", { class: "tick" }, this.byTime ? clock(this.origin + at) : at + 1);
      tick.style.left = `${at * this.scale}px`;
      yield tick;
    }
  }

  /** Boxes that are filtered out stay visible, faded and without focus. */
  filter() {
    for (const item of this.conversation.items) {
      const out = !this.conversation.shows(item);
      this.of(item).classList.toggle("out", out);
      this.of(item).inert = out;
    }
    this.mark();
  }

  /** Mark the current box and the box that the Tab key reaches. */
  mark() {
    const { current, shown } = this.conversation;
    const reached = current && this.conversation.shows(current) ? current : shown[0];
    for (const box of this.element.querySelectorAll("[tabindex='0'], [aria-current]")) {
      box.tabIndex = -1;
      box.removeAttribute("aria-current");
    }
    if (reached) this.of(reached).tabIndex = 0;
    if (current) this.of(current).setAttribute("aria-current", "true");
  }
}

/** The left end of the time axis: 0, or, for times of day, the full minute before the first utterance. */
export function beginning(items) {
  const first = Math.min(...items.map((item) => item.start));
  return Number.isFinite(first) && first >= LATE ? first - (first % 60) : 0;
}

function duration(item) {
  return item.end === null ? 1 : item.end - item.start;
}

/** The row of each utterance: overlapping utterances of one speaker are in different rows. */
function stacked(said) {
  const ends = []; // of the rows
  return said.map((item) => {
    const free = ends.findIndex((end) => end <= item.start + 0.001);
    const row = free < 0 ? ends.length : free;
    ends[row] = item.start + Math.max(duration(item), 0.01);
    return row;
  });
}

function following(said, rows, turn) {
  for (let later = turn + 1; later < said.length; later += 1)
    if (rows[later] === rows[turn] && said[later].start >= said[turn].start) return said[later];
  return null;
}
