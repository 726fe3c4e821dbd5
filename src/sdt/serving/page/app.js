/** The page begins here: what answers, the token, the tabs. */

import { model, token } from "./api.js";
import { Asking } from "./asking.js";
import { byId } from "./dom.js";
import { Live } from "./live.js";
import { tabs } from "./tabs.js";

/** Ask for the token; the dialog cannot be passed without one, only closed. @returns {Promise<boolean>} */
function asked(wrong) {
  const [dialog, field] = [byId("token"), byId("token-value")];
  if (wrong) byId("token-why").textContent = "This is not the right token. Ask whoever runs the service for it.";
  dialog.returnValue = "";
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const value = field.value.trim();
        field.value = "";
        if (value) token.set(value);
        resolve(Boolean(value));
      },
      { once: true },
    );
  });
}

/** Whether an error is mended: a token is there that was not before. */
async function mended(error) {
  if (error.status !== 401) return false;
  const wrong = token.get() !== null;
  token.forget();
  return asked(wrong);
}

async function known() {
  try {
    return await model();
  } catch (error) {
    if (await mended(error)) return known();
    throw error;
  }
}

async function begin() {
  let found;
  try {
    found = await known();
  } catch (error) {
    byId("error").textContent = `${error.message} Then load this page again.`;
    byId("error").hidden = false;
    return;
  }
  byId("model").textContent = `Model ${found.name}, reads ${Object.keys(found.modalities).join(", ")}`;
  const asking = new Asking(found, mended);
  const live = new Live(found);
  tabs((panel) => panel === "panel-live" && live.begin());
  addEventListener("beforeunload", (event) => {
    if (asking.unsaved || live.unsaved) event.preventDefault();
  });
  document.documentElement.dataset.ready = "";
}

begin();
