// Asks for the admin key.

import * as api from "./api.js";
import { button, el } from "./element.js";
import { dialog } from "./dialog.js";
import { redial } from "./link.js";

/** The operator's answer, or null. */
export function askForKey(why) {
  const input = el("input", {
    type: "password",
    id: "key",
    class: "text",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  const body = [
    el("p", { class: "hint" }, why),
    el("label", { class: "field", for: "key" }, el("span", {}, "Admin key"), input),
    el(
      "p",
      { class: "hint" },
      "It is kept until this tab is closed, and sent to this gateway only. ",
      el("code", {}, "backstop keys create NAME --admin"),
      " makes one.",
    ),
  ];
  return dialog({
    title: "This gateway wants an admin key",
    body,
    action: "Use key",
    submit: () => input.value.trim(),
  });
}

/** The key's button in the bar: enter one, use another, forget it. */
export async function manageKey() {
  if (!api.key()) {
    const answer = await askForKey(
      "Without a key of its own this gateway needs none; with keys, every control needs an admin key.",
    );
    if (answer) change(answer);
    return;
  }
  const forget = button("Forget the key", () => {
    change(null);
    forget.closest("dialog").close();
  });
  dialog({ title: "Admin key", body: [el("p", { class: "hint" }, "A key is in use in this tab."), forget] });
}

function change(to) {
  api.useKey(to);
  redial();
}
