/** Filters for emotions, speakers and reviews; without an active filter everything is shown. */

import { announce, h } from "./dom.js";
import { isUncertain, shownEmotion, statusOf, UNCERTAIN } from "./conversation.js";
import { count, percent, STATUS } from "./format.js";
import { paint } from "./palette.js";

const NARROW = matchMedia("(max-width: 46rem)");
// Wide screens show no summary that opens them.
NARROW.addEventListener("change", () => {
  for (const box of document.querySelectorAll(".filter-box")) box.open = !NARROW.matches;
});

/**
 * @param {import("./conversation.js").Conversation} conversation
 * @param {(label: string) => object} colour See palette.js.
 */
export function filters(conversation, colour) {
  const emotions = h("div", { class: "chips", role: "group", "aria-label": "Show only these emotions" });
  const speakers = h("div", { class: "chips", role: "group", "aria-label": "Show only these speakers" });
  const others = h("div", { class: "chips", role: "group", "aria-label": "Show only these review states" });
  const shown = h("span", { class: "faint" });
  const all = h("button", { type: "button", class: "quiet", onclick: () => conversation.unfilter() }, "Show all");
  const element = h(
    "details",
    { class: "filter-box", open: !NARROW.matches },
    h("summary", {}, "Filter"),
    h("div", { class: "filters" }, emotions, speakers, others, h("p", { class: "shown" }, shown, " ", all)),
  );

  function draw() {
    const { items, filter } = conversation;
    const [labels, names, statuses] = [shownEmotion, (item) => item.speaker, statusOf].map((key) =>
      Map.groupBy(items, key),
    );
    const offered = conversation.labels.filter((label) => labels.has(label) || filter.emotions.has(label));
    keep(
      emotions,
      offered.map((label) => chip("emotions", label, label, labels.get(label)?.length ?? 0)),
    );
    [...emotions.children].forEach((button, place) => paint(button, colour(offered[place])));
    keep(speakers, names.size > 1 ? [...names].map(([name, said]) => chip("speakers", name, name, said.length)) : []);
    const doubt = `uncertain, below ${percent(UNCERTAIN)}`;
    const reviewed = [...Object.entries(STATUS), [null, "without a label"]].filter(
      ([status]) => filter.reviews.has(status) || (statuses.has(status) && statuses.size > 1),
    );
    keep(others, [
      chip("uncertain", null, doubt, items.filter(isUncertain).length),
      ...reviewed.map(([status, name]) => chip("reviews", status, name, statuses.get(status)?.length ?? 0)),
    ]);
    const left = conversation.shown.length;
    shown.textContent = left === items.length ? "" : `${left} of ${count(items.length, "utterance")} shown`;
    all.hidden = left === items.length;
  }

  /** A switch with its count. */
  function chip(part, member, name, number) {
    const value = conversation.filter[part];
    const pressed = value instanceof Set ? value.has(member) : value;
    const turn = () => {
      conversation.toggle(part, member);
      announce(`${conversation.shown.length} of ${count(conversation.items.length, "utterance")} shown`);
    };
    const attributes = {
      type: "button",
      class: part === "emotions" ? "chip painted" : "chip",
      "aria-pressed": String(pressed),
    };
    return h(
      "button",
      { ...attributes, "data-key": `${part} ${member}`, onclick: turn },
      part === "emotions" && h("span", { class: "swatch", "aria-hidden": "true" }),
      h("span", { class: "chip-name" }, name),
      " ",
      h("span", { class: "faint" }, number),
    );
  }

  for (const what of ["added", "label", "filter", "rebuilt"]) conversation.addEventListener(what, draw);
  draw();
  return element;
}

/** Replace the buttons of a group and keep the focus. */
function keep(group, buttons) {
  const focused = group.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  group.replaceChildren(...buttons);
  group.hidden = !buttons.length;
  if (focused) buttons.find((button) => button.dataset.key === focused)?.focus();
}
