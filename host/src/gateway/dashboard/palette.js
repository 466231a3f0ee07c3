// One colour for each provider, the same wherever it appears; and the colours of the page, for what is drawn.

const places = new Map();
const COLOURS = 8;

/**
 * A provider's colour, to be used in styles. Given out in the order of asking, so ask in the order of the
 * configuration.
 */
export function colourOf(provider) {
  if (!places.has(provider)) places.set(provider, places.size % COLOURS);
  return `var(--series-${places.get(provider)})`;
}

/** What a colour of the style sheet is under the theme of the moment: a canvas does not know variables. */
export function resolved(colour) {
  const probe = document.createElement("span");
  probe.style.color = colour;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
