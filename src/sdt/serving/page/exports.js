/**
 * Conversations as files that `sdt` can read again: JSON Lines, CSV or WebVTT.
 *
 * `label` comes from a person or the transcript, `review` is corrected or confirmed; `emotion`, `probability` and the
 * other columns come from the model.
 */

/** Duration of a cue whose utterance has no end, in seconds. */
const LAST_CUE = 3;
const COLUMNS = [
  "conversation",
  "utterance",
  "speaker",
  "text",
  "start",
  "end",
  "label",
  "review",
  "emotion",
  "probability",
];

/**
 * The formats by their suffix.
 * @type {Record<string, {name: string, type: string, write: (items: object[]) => string, alone?: boolean}>} `alone` if a file
 *   holds one conversation.
 */
export const FORMATS = {
  jsonl: { name: "JSON Lines", type: "application/jsonl", write: jsonLines },
  csv: { name: "CSV", type: "text/csv", write: csv },
  vtt: { name: "WebVTT", type: "text/vtt", write: webVtt, alone: true },
};

/** All fields of the predictions, and label and review if set. */
export function jsonLines(items) {
  return items.map((item) => JSON.stringify(row(item)) + "\n").join("");
}

/** A table for spreadsheets, with a byte order mark that identifies UTF-8. */
export function csv(items) {
  const values = items.map(row);
  const columns = values.some(({ annotator }) => annotator) ? COLUMNS.toSpliced(8, 0, "annotator") : COLUMNS;
  const rows = values.map((of) => columns.map((column) => cell(of[column])).join(","));
  return "\ufeff" + [columns.join(","), ...rows].join("\n") + "\n";
}

/** Cues by start time; each begins with the emotion, such as `[joy 0.83]` or `[sadness, corrected]`. */
export function webVtt(items) {
  const ids = items.map((item) => tidy(item.id));
  const named = ids.every(
    (id) => id && !id.includes("-->") && !/^(NOTE|STYLE|REGION|WEBVTT)(?![\p{L}\p{N}_])/u.test(id),
  );
  const cues = [...items]
    .sort((a, b) => a.start - b.start)
    .map((item) => {
      const start = Math.round(1000 * item.start);
      const end = Math.max(Math.round(1000 * (item.end ?? item.start + LAST_CUE)), start + 1);
      const text = escaped(tidy(`${mark(item)} ${item.text ?? ""}`));
      const emotion = (item.label ?? item.emotion ?? "none").replace(/[^\p{L}\p{N}_-]+/gu, "-");
      const name = named ? `${tidy(item.id)}\n` : "";
      return `\n${name}${time(start)} --> ${time(end)}\n<v ${escaped(tidy(item.speaker))}><c.${emotion}>${text}</c>\n`;
    });
  return "WEBVTT\n" + cues.join("");
}

/** Let the browser save a file. */
export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A safe file name for a conversation of any name. */
export function fileName(conversation, suffix) {
  const plain = conversation
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[.-]+|[.-]+$/g, "")
    .slice(0, 80);
  return `${plain || "conversation"}.emotions.${suffix}`;
}

/** The fields of an utterance. */
function row({ record, label, review, annotator, words }) {
  const { conversation, utterance, speaker, text, start, end } = record;
  const { label: _label, review: _review, ...said } = record;
  const given = {
    ...(label !== null && { label }),
    ...(review !== null && { review }),
    ...(review !== null && annotator && { annotator }),
  };
  return { conversation, utterance, speaker, text, start, end, ...given, ...said, ...(words.length && { words }) };
}

/**
 * The annotators in a saved file of this page, which the service does not return.
 * @param {File | null} file
 * @returns {Promise<Map<string, {annotator: string}>>} By conversation and utterance; empty for other files.
 */
export async function savedAnnotators(file) {
  const found = new Map();
  if (!/\.(jsonl|ndjson)$/i.test(file?.name ?? "")) return found;
  for (const line of (await file.text()).split("\n")) {
    try {
      const { conversation, utterance, annotator } = JSON.parse(line);
      if (annotator) found.set(`${conversation}/${utterance}`, { annotator });
    } catch {
      // The service says what is wrong with the file.
    }
  }
  return found;
}

/**
 * A cell of a CSV file. Spreadsheets evaluate text that looks like a formula; a leading tab prevents that. It is not
 * visible there, and `sdt` removes it.
 */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^\s*[=+\-@＝＋－＠]/u.test(value) ? `\t${value}` : value;
  return /[",\r\n\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The emotion of an utterance in a cue, in the format of `sdt predict`. */
function mark({ label, review, emotion, probability }) {
  if (label !== null) return `[${bracketed(label)}, ${review ?? "labelled"}]`;
  return emotion === null ? "[no emotion]" : `[${bracketed(emotion)} ${probability.toFixed(2)}]`;
}

/** A name, escaped for use in brackets. */
function bracketed(name) {
  return name.replace(/[[\]\\]/g, "\\$&");
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("{\\", "&#123;\\");
}

function tidy(text) {
  return text.replace(/[\s\p{Cc}]+/gu, " ").trim();
}

function time(milliseconds) {
  const two = (number) => String(number).padStart(2, "0");
  const seconds = Math.floor(milliseconds / 1000);
  const rest = String(milliseconds % 1000).padStart(3, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
}
