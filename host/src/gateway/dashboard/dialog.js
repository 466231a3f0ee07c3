// A small window that asks for something, and is answered or dismissed.

import { button, el, say } from "./element.js";

/**
 * Shows a form. `submit()` is called when it is sent; what it throws is shown in the form, which stays open. Resolves
 * to what `submit` gave, or to null where the operator changed their mind.
 */
export function dialog({ title, body, action, submit, isWide }) {
  const error = el("p", { class: "form-error", role: "alert" });
  const cancel = button(action ? "Cancel" : "Close", () => window_.close());
  const send = action && el("button", { type: "submit", class: "button primary" }, action);
  const form = el(
    "form",
    { class: "form" },
    el("h2", {}, title),
    body,
    error,
    el("div", { class: "form-end" }, cancel, send),
  );
  const window_ = el("dialog", { class: isWide ? "dialog wide" : "dialog", "aria-label": title }, form);
  document.body.append(window_);
  return new Promise((resolve) => {
    let answer = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!submit) return window_.close();
      send.disabled = true;
      try {
        answer = await submit();
        window_.close();
      } catch (failure) {
        say(error, failure.message);
      } finally {
        send.disabled = false;
      }
    });
    window_.addEventListener("click", (event) => event.target === window_ && window_.close());
    window_.addEventListener("close", () => {
      window_.remove();
      resolve(answer);
    });
    window_.showModal();
  });
}

/** A choice of a few lengths of time, and a field for any other. Gives the seconds that are chosen. */
export function lengthField(legend, choices, chosen) {
  const number = el("input", {
    type: "number",
    min: 0.1,
    step: "any",
    required: true,
    value: chosen / 60,
    class: "number",
    id: "length",
  });
  const radios = choices.map((seconds) => {
    const input = el("input", {
      type: "radio",
      name: "choice",
      checked: seconds === chosen,
      on: { change: () => (number.value = seconds / 60) },
    });
    return el(
      "label",
      { class: "chip-choice" },
      input,
      el("span", {}, seconds < 60 ? `${seconds} s` : `${seconds / 60} min`),
    );
  });
  const element = el(
    "fieldset",
    { class: "field" },
    el("legend", {}, legend),
    el("div", { class: "chips" }, radios),
    el("label", { class: "inline", for: "length" }, number, "minutes"),
  );
  return { element, seconds: () => Math.max(1, Math.round(Number(number.value) * 60)) };
}
