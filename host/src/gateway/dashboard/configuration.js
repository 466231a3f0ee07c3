// The configuration in force, and the button that reads it anew.

import * as api from "./api.js";
import { dialog } from "./dialog.js";
import { el, say } from "./element.js";
import { refresh } from "./known.js";
import { toast } from "./toast.js";

/** Shows the configuration, secrets left out, with a way to reload it. */
export async function showConfiguration() {
  const text = el("pre", { class: "config", tabindex: "0" }, "…");
  const problems = el("ul", { class: "problems" });
  const body = [
    el(
      "p",
      { class: "hint" },
      "As it is in force. Reloading reads the file again: it is checked first, and kept out where anything is wrong.",
    ),
    text,
    problems,
  ];
  api.get("config").then(
    (answer) => say(text, answer.text),
    (error) => say(text, error.message),
  );
  const done = await dialog({
    title: "Configuration",
    body,
    action: "Reload from file",
    isWide: true,
    submit: () => reload(problems),
  });
  if (!done) return;
  toast("The configuration was read anew");
  for (const notice of done.notices ?? []) toast(notice, "wait");
}

async function reload(problems) {
  problems.replaceChildren();
  try {
    const done = await api.post("reload");
    refresh();
    return done;
  } catch (error) {
    problems.replaceChildren(...(error.problems ?? []).map((problem) => el("li", {}, problem)));
    throw error;
  }
}
