/** The name of the person who reviews: entered once, remembered by this browser, and saved with each review. */

import { h } from "./dom.js";

const KEPT = "sdt-annotator";

/** A field for the name. @param {import("./conversation.js").Conversation} conversation */
export function annotatorField(conversation) {
  const field = h("input", { class: "annotator", autocomplete: "off", maxlength: 200, placeholder: "your name", "aria-label": "Annotator", title: "Saved with your reviews" });
  field.value = localStorage.getItem(KEPT) ?? "";
  const take = () => {
    conversation.annotator = field.value.trim() || null;
    if (conversation.annotator) localStorage.setItem(KEPT, conversation.annotator);
    else localStorage.removeItem(KEPT);
  };
  conversation.annotator = field.value || null;
  field.addEventListener("change", take);
  return field;
}
