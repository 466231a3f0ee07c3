// What an operator can do to a provider. Each act says what it means before it is done.

import * as api from "./api.js";
import { dialog, lengthField } from "./dialog.js";
import { el } from "./element.js";
import { known, put, refresh } from "./known.js";
import { toast } from "./toast.js";
import { span } from "./words.js";

/** Has every request go to one provider for a while. */
export async function force(name) {
  const field = lengthField("For how long", [60, 300, 900, 3600], 300);
  const seconds = await dialog({
    title: `Force ${name}`,
    body: [
      el(
        "p",
        { class: "hint" },
        `Until then ${name} alone is asked: what fails there fails. Routes without ${name} cannot answer.`,
      ),
      field.element,
    ],
    action: `Force ${name}`,
    submit: () => act(`providers/${encodeURIComponent(name)}/force`, field.seconds()),
  });
  if (seconds) toast(`${name} is forced for ${span(seconds)}`);
}

/** Leaves a provider alone for a while. */
export async function coolDown(name) {
  const field = lengthField("For how long", [30, 60, 300, 900], 60);
  const seconds = await dialog({
    title: `Cool down ${name}`,
    body: [
      el(
        "p",
        { class: "hint" },
        `No request is sent to ${name} in that time; the others go on. “Clear” ends it early.`,
      ),
      field.element,
    ],
    action: "Cool down",
    submit: () => act(`providers/${encodeURIComponent(name)}/cool-down`, field.seconds()),
  });
  if (seconds) toast(`${name} is left alone for ${span(seconds)}`);
}

/** Ends a provider's cooldowns and closes its breakers. */
export function clear(name) {
  return trying(async () => {
    took(await api.post(`providers/${encodeURIComponent(name)}/clear`));
    toast(`${name} may be asked again`);
  });
}

/** Ends a force, forgets who served last. */
export function clearPreference() {
  return trying(async () => {
    await api.post("preference/clear");
    refresh("routes", "providers");
    toast("Nobody is forced or preferred any more");
  });
}

/** Does something that a button without a dialog asks for, and says what went wrong. */
export async function trying(deed) {
  try {
    await deed();
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function act(path, seconds) {
  took(await api.post(path, { seconds }));
  return seconds;
}

function took({ provider }) {
  put(
    "providers",
    (known("providers") ?? []).map((other) => (other.provider === provider.provider ? provider : other)),
  );
  refresh("routes", "providers");
}
