// Light or dark: the system's choice until the operator makes one. Runs before the first paint, so that nothing
// flashes.
(() => {
  const KEPT = "backstop.theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  const chosen = () => {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null; // Storage may be forbidden; the choice then lasts as long as the page.
    }
  };

  const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");

  const tell = () => document.dispatchEvent(new Event("themechange"));

  const label = (button) => {
    const other = current() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
    button.textContent = other === "dark" ? "☾" : "☀";
  };

  const choice = chosen();
  if (choice === "light" || choice === "dark") root.dataset.theme = choice;
  system.addEventListener("change", tell);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("toggle-theme");
    label(button);
    document.addEventListener("themechange", () => label(button));
    button.addEventListener("click", () => {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEPT, root.dataset.theme);
      } catch {
        // As above.
      }
      tell();
    });
  });
})();
