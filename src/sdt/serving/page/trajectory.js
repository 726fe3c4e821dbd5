/** The emotions of each speaker over time on one screen: a row for each emotion, with a mark for each utterance. */

import { shownEmotion } from "./conversation.js";
import { h, s } from "./dom.js";
import { count } from "./format.js";
import { paint } from "./palette.js";
import { beginning } from "./timeline.js";

const [WIDTH, ROW, LEAST] = [1000, 14, 3];
/** Less probable emotions are not drawn. */
const FAINT = 0.2;

/**
 * @param {import("./conversation.js").Conversation} conversation
 * @param {(label: string) => object} colour See palette.js.
 * @param {(item: object) => void} chosen Called for the utterance that is nearest to a click.
 */
export function trajectory(conversation, colour, chosen) {
  const strips = h("div", { class: "strips" });
  const element = h(
    "section",
    { class: "trajectory" },
    h("h3", {}, "Emotions over time"),
    h("p", { class: "faint" }, "The height of a mark is the probability of the emotion; labels have full height."),
    strips,
  );
  const draw = () =>
    strips.replaceChildren(...conversation.speakers.map((speaker) => strip(conversation, speaker, colour, chosen)));
  conversation.addEventListener("added", draw);
  conversation.addEventListener("label", draw);
  conversation.addEventListener("rebuilt", draw);
  conversation.addEventListener("filter", () =>
    strips.querySelectorAll("[data-place]").forEach((mark) => {
      mark.classList.toggle("out", !conversation.shows(conversation.items[mark.dataset.place]));
    }),
  );
  draw();
  return element;
}

function strip(conversation, speaker, colour, chosen) {
  const said = conversation.items.filter((item) => item.speaker === speaker);
  const rows = conversation.labels.filter((label) => conversation.items.some((item) => share(item, label) >= FAINT));
  const [from, to] = span(conversation);
  const end = to(conversation.items.reduce((last, item) => (to(item) > to(last) ? item : last)));
  const origin = conversation.timed ? beginning(conversation.items) : 0;
  const x = (value) => (WIDTH * (value - origin)) / (end - origin);
  const marks = said.flatMap((item) =>
    rows
      .filter((label) => share(item, label) >= FAINT)
      .map((label) => mark(item, label, rows.indexOf(label), x(from(item)), x(to(item)), colour)),
  );
  const height = ROW * rows.length;
  const lines = rows.map((_, row) =>
    s("line", { x1: 0, x2: WIDTH, y1: ROW * (row + 0.5), y2: ROW * (row + 0.5), class: "grid" }),
  );
  const picture = s(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": summary(speaker, said),
      height,
    },
    ...lines,
    ...marks,
  );
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    const at = origin + ((event.clientX - box.left) / box.width) * (end - origin);
    const distance = (item) => Math.max(from(item) - at, at - to(item));
    chosen(said.reduce((best, item) => (distance(item) < distance(best) ? item : best)));
  });
  return h(
    "figure",
    {},
    h("figcaption", {}, speaker),
    h("div", { class: "rows faint", "aria-hidden": "true" }, ...rows.map((label) => h("span", {}, label))),
    picture,
  );
}

function mark(item, label, row, left, right, colour) {
  const height = Math.max(share(item, label) * (ROW - 2), 2);
  const strongest = label === shownEmotion(item);
  const rect = s("rect", {
    x: left,
    y: ROW * (row + 0.5) - height / 2,
    width: Math.max(right - left - 1.5, LEAST),
    height,
    class: strongest ? "mark painted" : "mark painted weak",
    "data-place": item.place,
  });
  paint(rect, colour(label));
  return rect;
}

/** The probability of an emotion; a label has probability 1. */
function share(item, label) {
  if (item.label === null) return item.probabilities[label] ?? 0;
  return label === item.label ? 1 : 0;
}

/** The start and end of utterances: by time, or by number. */
function span(conversation) {
  if (!conversation.timed) return [(item) => item.place, (item) => item.place + 1];
  return [(item) => item.start, (item) => Math.max(item.end ?? item.start, item.start + 0.1)];
}

/** A text alternative of the picture. */
function summary(speaker, said) {
  const shown = (item) => shownEmotion(item) ?? "no emotion";
  const counted = [...Map.groupBy(said, shown)].map(([label, of]) => `${label} ${of.length}`);
  const changes = said.map(shown).filter((label, turn, all) => label !== all[turn - 1]);
  const order = changes.length <= 12 ? `, in order ${changes.join(", ")}` : "";
  return `${speaker}, ${count(said.length, "utterance")}: ${counted.join(", ")}${order}`;
}
