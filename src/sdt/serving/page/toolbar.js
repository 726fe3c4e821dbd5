/** The toolbar of a conversation: view, zoom, undo, save. */

import { h } from "./dom.js";
import { annotatorField } from "./annotator.js";
import { formats } from "./api.js";
import { FORMATS } from "./exports.js";

/** A choice of the formats that the service writes besides those of the page; it saves this conversation. */
function otherFormats(view) {
  const select = h("select", { "aria-label": "Save this conversation in another format", "data-others": "" });
  select.add(new Option("Other…", ""));
  formats()
    .then((all) => {
      for (const { name, title, write, predictions } of all)
        if (write && predictions && !(name in FORMATS)) select.add(new Option(title, name));
    })
    .catch(() => (select.hidden = true)); // a service without these routes
  select.addEventListener("change", async () => {
    const [to, title] = [select.value, select.selectedOptions[0].textContent];
    select.value = "";
    if (to) await view.saveConverted(to, title);
  });
  return select;
}

/**
 * @param {import("./view.js").View} view
 * @returns {{element: HTMLElement, write: () => void}} Call `write` after a change.
 */
export function choices(view) {
  const { conversation } = view;
  const button = (name, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, name);
  const as = ["timeline", "list"].map((way) => button(way === "list" ? "List" : "Timeline", () => view.show(way)));
  const spread = button("In order", () => (view.timeline.spread(!view.timeline.byTime), write()), {
    title: "Give every utterance the same width",
  });
  const wide = [
    button("−", () => view.timeline.zoom(1 / 1.5), { "aria-label": "Zoom out", title: "Zoom out" }),
    button("Fit", () => view.timeline.zoom(0), { title: "Fit the conversation to the screen" }),
    button("+", () => view.timeline.zoom(1.5), { "aria-label": "Zoom in", title: "Zoom in" }),
  ];
  const undo = button("Undo", () => view.undo(), { title: "Undo the last change (U)" });
  const changed = h("span", { class: "faint" });
  const annotator = annotatorField(conversation);
  const saves = Object.entries(FORMATS).map(([suffix, { name, alone }]) =>
    button(view.several && alone ? `${name} (this one)` : name, () => view.save(suffix), { "data-format": suffix }),
  );
  const others = otherFormats(view);
  const group = (name, ...children) => h("div", { class: "group", role: "group", "aria-label": name }, ...children);
  const scale = group("Zoom", spread, ...wide);
  const element = h(
    "div",
    { class: "toolbar" },
    group("Show as", ...as),
    scale,
    group("Review", undo, changed, annotator),
    group("Save", h("span", { class: "faint" }, view.several ? "Save all as" : "Save as"), ...saves, others),
  );

  function write() {
    as.forEach((one, place) => one.setAttribute("aria-pressed", String(view.as === ["timeline", "list"][place])));
    scale.hidden = view.as === "list";
    spread.hidden = !conversation.timed;
    spread.setAttribute("aria-pressed", String(!view.timeline.byTime));
    undo.disabled = !conversation.changes.length;
    const reviews = Map.groupBy(conversation.items, (item) => item.review);
    const said = ["corrected", "confirmed"]
      .filter((review) => reviews.has(review))
      .map((review) => `${reviews.get(review).length} ${review}`);
    const touched = conversation.changes.length || conversation.unsaved;
    changed.textContent = [...said, touched && (conversation.unsaved ? "not saved" : "saved")]
      .filter(Boolean)
      .join(", ");
    const untimed = !conversation.timed;
    for (const save of saves) {
      save.disabled = !conversation.items.length || (save.dataset.format === "vtt" && untimed);
      save.title = save.dataset.format === "vtt" && untimed ? "WebVTT needs times for all utterances" : "";
    }
  }

  for (const what of ["added", "label", "saved", "rebuilt"]) conversation.addEventListener(what, write);
  return { element, write };
}
