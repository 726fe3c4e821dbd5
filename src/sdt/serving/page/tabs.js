/** Tabs after the ARIA Authoring Practices: the arrow keys move between them. */

import { byId } from "./dom.js";

/** @param {(panel: string) => void} chosen Called with the id of the panel that is shown. */
export function tabs(chosen) {
  const all = [...document.querySelectorAll("[role='tab']")];
  const choose = (tab) => {
    for (const one of all) {
      const on = one === tab;
      one.setAttribute("aria-selected", String(on));
      one.tabIndex = on ? 0 : -1;
      byId(one.getAttribute("aria-controls")).hidden = !on;
    }
    chosen(tab.getAttribute("aria-controls"));
  };
  all.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = all.at((place + step) % all.length);
      choose(next);
      next.focus();
    });
  });
}
