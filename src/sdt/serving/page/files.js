/** The file inputs: files are chosen with a picker, or dropped anywhere on the page. */

import { byId } from "./dom.js";
import { size } from "./format.js";

const TRANSCRIPT = /\.(txt|csv|tsv|jsonl|ndjson|json|srt|vtt|eaf|textgrid|cha|rttm|ctm|stm|labels|emotionml|emo)$/i;
const RECORDING =
  /\.(wav|flac|ogg|oga|opus|mp3|m4a|aac|wma|aiff?|au|caf|amr|w64|mp4|mkv|mov|webm|avi|m4v|ts|mpe?g|flv|wmv|ogv)$/i;
const PARTS = ["transcript", "recording"];

/** @param {(message: string) => void} onError Called if dropped files cannot be used. */
export class FileInputs {
  constructor(onError) {
    /** @type {Record<string, File | null>} */
    this.files = { transcript: null, recording: null };
    for (const part of PARTS)
      byId(part).addEventListener("change", (event) => this.take(part, event.target.files[0] ?? null));
    addEventListener("dragover", (event) => this.over(event, true));
    addEventListener("dragleave", (event) => event.relatedTarget === null && this.over(event, false));
    addEventListener("drop", (event) => {
      this.over(event, false);
      const message = this.drop([...event.dataTransfer.files]);
      if (message) onError(message);
    });
  }

  /** Use dropped files. @returns {string} An error message; empty if there is no error. */
  drop(files) {
    const found = { transcript: [], recording: [] };
    for (const file of files) {
      const part = kind(file);
      if (!part)
        return `${file.name} is not a transcript (txt, csv, jsonl, json, srt, vtt, eaf, TextGrid, cha) or recording.`;
      found[part].push(file);
    }
    for (const part of PARTS)
      if (found[part].length > 1)
        return `More than one ${part} was dropped: ${found[part].map((file) => file.name).join(", ")}. Drop one at a time.`;
    for (const part of PARTS) if (found[part].length) this.take(part, found[part][0], true);
    return "";
  }

  /** Use a file, or none. */
  take(part, file, dropped = false) {
    this.files[part] = file;
    const input = byId(part);
    if (!file) input.value = "";
    else if (dropped) input.files = listOf(file);
    byId(`drop-${part}`).classList.toggle("full", Boolean(file));
    byId("chosen").textContent = PARTS.map((one) => this.files[one])
      .filter(Boolean)
      .map((one) => `${one.name} (${size(one.size)})`)
      .join(", ");
  }

  /** Use no file. */
  clear() {
    for (const part of PARTS) this.take(part, null);
  }

  over(event, on) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    byId("ask").classList.toggle("over", on);
  }
}

function kind(file) {
  if (TRANSCRIPT.test(file.name)) return "transcript";
  return RECORDING.test(file.name) || /^(audio|video)\//.test(file.type) ? "recording" : null;
}

function listOf(file) {
  const list = new DataTransfer();
  list.items.add(file);
  return list.files;
}
