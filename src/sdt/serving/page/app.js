/** Entry point of the page: loads the model's description, asks for the token, sets up the tabs. */

import { model, token } from "./api.js";
import { PredictForm } from "./form.js";
import { byId } from "./dom.js";
import { Live } from "./live.js";
import { tabs } from "./tabs.js";

/** Ask the user for the token. @returns {Promise<boolean>} Whether one was entered. */
function askForToken(wrong) {
  const [dialog, field] = [byId("token"), byId("token-value")];
  if (wrong) byId("token-why").textContent = "This token is wrong. Ask the administrator of the service for the right one.";
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

/** Handle an error for lack of a token. @returns {Promise<boolean>} Whether to try again. */
async function authorised(error) {
  if (error.status !== 401) return false;
  const wrong = token.get() !== null;
  token.forget();
  return askForToken(wrong);
}

async function loadModel() {
  try {
    return await model();
  } catch (error) {
    if (await authorised(error)) return loadModel();
    throw error;
  }
}

async function start() {
  let found;
  try {
    found = await loadModel();
  } catch (error) {
    byId("error").textContent = `${error.message} Then reload this page.`;
    byId("error").hidden = false;
    return;
  }
  byId("model").textContent = `Model: ${found.name} (${Object.keys(found.modalities).join(", ")})`;
  const form = new PredictForm(found, authorised);
  const live = new Live(found);
  tabs((panel) => panel === "panel-live" && live.begin());
  addEventListener("beforeunload", (event) => {
    if (form.unsaved || live.unsaved) event.preventDefault();
  });
  document.documentElement.dataset.ready = "";
}

start();
