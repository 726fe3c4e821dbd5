/**
 * The colours of emotions: a hue and a chroma each; the style sheets set the lightness for light and dark mode.
 * Colour is never the only cue: the emotion's name or its row is always shown with it.
 */

const GREY = { hue: 250, strength: 0.015 };
const STRONG = 0.155;

/** The hues of the usual emotions, in degrees of OKLCH; null is grey. */
const HUES = {
  neutral: null,
  calm: 185,
  joy: 88,
  happy: 88,
  happiness: 88,
  excited: 62,
  excitement: 62,
  surprise: 345,
  surprised: 345,
  anger: 27,
  angry: 27,
  frustrated: 45,
  frustration: 45,
  disgust: 140,
  disgusted: 140,
  fear: 300,
  fearful: 300,
  sadness: 250,
  sad: 250,
  contempt: 115,
  love: 5,
  trust: 160,
  anticipation: 70,
  boredom: 215,
  bored: 215,
};

/**
 * A colour for every label of the model, and for other labels in a transcript.
 * @param {string[]} labels The labels of the model.
 * @returns {(label: string | null) => {hue: number, strength: number}} Grey for no emotion.
 */
export function palette(labels) {
  const taken = labels.map((label) => HUES[label.toLowerCase()]).filter((hue) => typeof hue === "number");
  const found = new Map();
  const colour = (label) => {
    if (label === null) return GREY;
    const known = HUES[label.toLowerCase()];
    if (known === null) return GREY;
    if (!found.has(label)) found.set(label, { hue: known ?? between(taken), strength: STRONG });
    return found.get(label);
  };
  labels.forEach(colour);
  return colour;
}

/** The middle of the widest gap between the hues; adds it to them. */
function between(taken) {
  const sorted = [...taken].sort((a, b) => a - b);
  let [widest, hue] = [0, 210];
  sorted.forEach((from, place) => {
    const gap = sorted.length === 1 ? 360 : (sorted[(place + 1) % sorted.length] - from + 360) % 360;
    if (gap > widest) [widest, hue] = [gap, (from + gap / 2) % 360];
  });
  taken.push(hue);
  return hue;
}

/** Set the colour of an emotion for an element and its descendants. */
export function paint(element, { hue, strength }) {
  element.style.setProperty("--hue", hue);
  element.style.setProperty("--strength", strength);
}
