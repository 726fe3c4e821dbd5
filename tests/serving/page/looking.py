"""What the page is asked about its looks, and how it comes to show what no service has said."""

from __future__ import annotations

import json

CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const worst = {};
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(':disabled, [inert], .unseen, .skip, option')) continue;
    const found = contrast(rgb(getComputedStyle(element).color), ground(element));
    if (found < 4.5) worst[`${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`] = found;
  }
  for (const element of document.querySelectorAll('.swatch, .mark:not(.weak)')) {
    const style = getComputedStyle(element);
    const own = rgb(element.matches('.mark') ? style.fill : style.backgroundColor);
    const found = contrast(own, ground(element.parentElement));
    if (found < 3) worst[`${element.className.baseVal ?? element.className}`] = found;
  }
  return worst;
})()
"""
"""What stands out too little: words under 4.5 to 1, marks under 3 to 1 (WCAG 2, level AA)."""


def records(names: list[str], number: int = 0) -> str:
    """Have the page show utterances that no service has said, the emotions in turn; gives the milliseconds."""
    return f"""(async () => {{
      const [{{ View }}, {{ Conversation }}] = [await import('/page/view.js'), await import('/page/conversation.js')];
      const names = {json.dumps(names)};
      const share = (k, n) => (n === k % names.length ? 0.6 : 0.4 / (names.length - 1));
      const records = Array.from({{ length: {number or len(names)} }}, (_, k) => ({{
        conversation: 'many', utterance: String(k), speaker: `Speaker ${{k % 4}}`, text: `Number ${{k}} is said here.`,
        start: 3 * k, end: 3 * k + 2.5, emotion: names[k % names.length], probability: 0.6,
        probabilities: Object.fromEntries(names.map((name, n) => [name, share(k, n)])),
        branches: {{ text: {{ [names[0]]: 1 }}, audio: {{ [names[0]]: 1 }} }}, weights: {{ text: 0.7, audio: 0.3 }},
      }}));
      document.querySelector('#input').open = false;
      const begun = performance.now();
      const view = new View(new Conversation('many', names, records));
      document.querySelector('#found').replaceChildren(view.element);
      view.element.getBoundingClientRect();
      await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
      window.view = view;
      return performance.now() - begun;
    }})()"""


ABSENT = """(async () => {
  const [{ View }, { Conversation }] = [await import('/page/view.js'), await import('/page/conversation.js')];
  const said = (utterance, more) => ({
    conversation: 'c', utterance, speaker: 'Bob', text: null, start: Number(utterance), end: Number(utterance) + 1,
    emotion: null, probability: null, probabilities: null, branches: { text: null, audio: null },
    weights: { text: null, audio: null }, ...more,
  });
  const shares = { neutral: 0.4, joy: 0.6 };
  const records = [
    said('0', { text: 'Hi!', emotion: 'joy', probability: 0.6, probabilities: shares,
      branches: { text: shares, audio: null }, weights: { text: 1, audio: null } }),
    said('1', {}),
    said('2', { label: 'joy', review: 'corrected', probabilities: {} }),
  ];
  const view = new View(new Conversation('c', ['neutral', 'joy'], records));
  document.querySelector('#found').replaceChildren(view.element);
})()"""
"""Have the page show an utterance without audio, one with nothing, and one with nothing that has a label."""
