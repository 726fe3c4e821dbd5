/** Creating elements. Text is never parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} tag
 * @param {Record<string, unknown>} attributes Functions are event listeners (`onclick`), `vars` are custom properties,
 *   true is an attribute without a value; false, null and undefined are omitted.
 * @param {...unknown} children Nodes are appended, other values become text; false, null and undefined are omitted.
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. @returns {SVGElement} */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** An element of the page by its id. @returns {HTMLElement} */
export function byId(id) {
  return document.getElementById(id);
}

/** Have screen readers announce a text politely. */
export function announce(words) {
  byId("said").textContent = words;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "vars")
      for (const [key, one] of Object.entries(value)) element.style.setProperty(`--${key}`, one);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}
