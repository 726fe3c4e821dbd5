/** A conversation on the screen: heading, filters, timeline or list, trajectories, details, and the keyboard. */

import { announce, h } from "./dom.js";
import { convert } from "./api.js";
import { trajectory } from "./trajectory.js";
import { Details } from "./details.js";
import { save, fileName, FORMATS } from "./exports.js";
import { markLegend } from "./emotion.js";
import { filters } from "./filters.js";
import { Editor } from "./editor.js";
import { clock, count, emotionWords, spoken } from "./format.js";
import { List } from "./list.js";
import { palette } from "./palette.js";
import { Player } from "./player.js";
import { Timeline } from "./timeline.js";
import { choices } from "./toolbar.js";
import { Waveform } from "./waveform.js";
import { weightLegend } from "./weights.js";
import { wordLegend } from "./words.js";

const NARROW = matchMedia("(max-width: 46rem)");

/** The element is `element`. */
export class View {
  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {{notes?: string[], recording?: File | null, saveAll?: (suffix: string) => void, repredict?: object}} more
   *   `saveAll` if it is one of several conversations, which are saved together; `repredict` if utterances can be edited:
   *   see repredict.js.
   */
  constructor(conversation, { notes = [], recording = null, saveAll = null, repredict = null } = {}) {
    [this.conversation, this.saveAll, this.several] = [conversation, saveAll, saveAll !== null];
    const colour = palette(conversation.labels);
    this.player = new Player(recording);
    this.timeline = new Timeline(conversation, colour);
    this.list = null; // created on demand
    this.makeList = () => new List(conversation, colour);
    this.listed = h("div", { class: "scroll", "data-list": "" });
    const actions = {
      close: () => this.close(),
      step: (step) => this.step(step),
      relabel: (label) => this.relabel(label),
      unreview: () => this.unreview(),
    };
    this.details = new Details(conversation, colour, this.player, actions, repredict && new Editor(conversation));
    this.repredict = repredict;
    this.waveform = recording && new Waveform(conversation, colour, this.player, (item) => this.open(item), repredict !== null);
    this.again = h("span", { class: "faint again", role: "status" });
    if (repredict) repredict.state = (text) => (this.again.textContent = text);
    this.title = h("h2", { tabindex: -1 }, conversation.name);
    this.facts = h("p", { class: "faint facts" });
    this.tools = choices(this);
    const modalities = conversation.items.length ? Object.keys(conversation.items[0].weights) : [];
    this.element = h(
      "section",
      { class: "view" },
      h("div", { class: "view-head" }, this.title, this.facts, noteList(notes)),
      this.tools.element,
      this.again,
      filters(conversation, colour),
      h(
        "div",
        { class: "columns" },
        h(
          "div",
          { class: "shown-as" },
          this.waveform?.element,
          this.timeline.element,
          this.listed,
          weightLegend(modalities),
          markLegend(),
          wordLegend(conversation),
          trajectory(conversation, colour, (item) => this.open(item)),
        ),
        this.details.element,
      ),
    );
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    this.element.addEventListener("click", (event) => this.clicked(event));
    this.element.addEventListener("focusin", (event) => this.reached(event.target));
    for (const what of ["added", "rebuilt"]) conversation.addEventListener(what, () => this.write());
    this.show(NARROW.matches ? "list" : "timeline");
    this.write();
  }

  write() {
    const { items, speakers, timed } = this.conversation;
    const last = timed && Math.max(...items.map((item) => item.end ?? item.start));
    this.facts.textContent = [
      count(items.length, "utterance"),
      count(speakers.length, "speaker"),
      last ? clock(last) : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** Show the timeline or the list. */
  show(as) {
    this.as = as;
    if (as === "list" && !this.list) this.listed.append((this.list = this.makeList()).element);
    this.element.classList.toggle("as-list", as === "list");
    this.tools.write();
    if (as === "timeline" && this.element.isConnected) this.timeline.zoom(1);
  }

  /** Focus an utterance. */
  look(item) {
    this.conversation.look(item);
    const element = (this.as === "list" ? this.list : this.timeline).of(item);
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Open the details of an utterance. */
  open(item) {
    this.conversation.look(item);
    const element = (this.as === "list" ? this.list : this.timeline).of(item);
    element.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.details.element.classList.add("open");
    this.details.title.focus({ preventScroll: true });
  }

  /** Release the recording. */
  end() {
    this.repredict?.end();
    this.waveform?.close();
    this.player.close();
  }

  get unsaved() {
    return this.conversation.unsaved;
  }

  /** Close the details and return the focus to the utterance. */
  close() {
    this.details.element.classList.remove("open");
    this.player.media?.pause();
    const { current } = this.conversation;
    if (current && this.conversation.shows(current)) this.look(current);
  }

  /** Go to the previous or next utterance, in the details or among the utterances. */
  step(step) {
    const item = this.conversation.beside(step);
    if (!item) return;
    if (!this.details.element.contains(document.activeElement)) return void this.look(item);
    this.open(item);
    announce(spoken(item));
  }

  /** Confirm or correct the current utterance's emotion. */
  relabel(label) {
    const item = this.conversation.current;
    if (label === null) return;
    this.conversation.relabel(item, label);
    this.tell(item);
  }

  /** Remove the review of the current utterance. */
  unreview() {
    this.conversation.unreview(this.conversation.current);
    this.tell(this.conversation.current);
  }

  /** Undo the last change and announce it. */
  undo() {
    const item = this.conversation.undo();
    if (item) this.tell(item);
    this.tools.write();
  }

  tell(item) {
    announce(`Utterance ${item.place + 1}: ${emotionWords(item)}`);
    this.tools.write();
  }

  /** Save a file with this conversation, or with all of several. */
  save(suffix) {
    const { write, type, name, alone } = FORMATS[suffix];
    if (this.saveAll && !alone) return this.saveAll(suffix);
    save(fileName(this.conversation.name, suffix), write(this.conversation.items), type);
    this.conversation.saved();
    announce(`Saved as ${name}`);
  }

  /** Save this conversation in a format that the service writes. */
  async saveConverted(to, title) {
    try {
      const { content, suffix, losses } = await convert(FORMATS.jsonl.write(this.conversation.items), to);
      save(fileName(this.conversation.name, suffix.slice(1)), content, "text/plain");
      const lost = losses.map(({ name, count }) => `${name} (${count})`).join(", ");
      announce(lost ? `Saved as ${title}, without ${lost}` : `Saved as ${title}`);
    } catch (error) {
      announce(error.message);
    }
  }

  clicked(event) {
    const place = event.target.closest("[data-place]:not(svg *)")?.dataset.place;
    if (place !== undefined) this.open(this.conversation.items[place]);
  }

  /** The utterance that the Tab key reaches becomes the current one. */
  reached(element) {
    const item = element.matches("button[data-place]") && this.conversation.items[element.dataset.place];
    if (item && item !== this.conversation.current) this.conversation.look(item);
  }

  /** Handle keys among the utterances and in the details, but not in input fields. */
  pressed(event) {
    const { target, key } = event;
    if (key === "Escape" && this.details.element.classList.contains("open")) this.close();
    else if ((event.ctrlKey || event.metaKey) && key === "z" && !target.matches("input, textarea")) this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, textarea, select, video")) return;
    else if (key === " " && target.closest("button, summary")) return;
    else if (!target.closest(".shown-as, .details") || !this.key(key)) return;
    event.preventDefault();
  }

  /** @returns {boolean} Whether the key is a shortcut. */
  key(key) {
    const { items, shown, labels, current } = this.conversation;
    const label = /^\d$/.test(key) ? labels[(Number(key) + 9) % 10] : null;
    if (key === "ArrowLeft" || key === "ArrowUp") this.step(-1);
    else if (key === "ArrowRight" || key === "ArrowDown") this.step(1);
    else if (key === "Home" && items.length) this.look(shown[0] ?? items[0]);
    else if (key === "End" && items.length) this.look(shown.at(-1) ?? items.at(-1));
    else if (key === "p" || key === "P") this.player.toggle();
    else if ((key === "k" || key === "K" || key === " ") && this.player.media) this.player.playOn();
    else if ((key === "l" || key === "L") && this.player.media) this.player.setLoop(!this.player.loop);
    else if (key === "u" || key === "U") this.undo();
    else if ((key === "c" || key === "C") && current) this.relabel(current.emotion);
    else if (label && current) this.relabel(label);
    else return false;
    return true;
  }
}

/** Notes that open on demand; null if there are none. */
export function noteList(notes) {
  if (!notes.length) return null;
  return h(
    "details",
    { class: "notes" },
    h("summary", {}, count(notes.length, "note")),
    h("ul", {}, ...notes.map((note) => h("li", {}, note))),
  );
}
