// Who sent a request: the gateway's key it came with, and the caller's own words about it.

const KEY = "gateway-key";

/** The key's name, where the gateway has keys. */
export function keyOf({ labels }) {
  return labels?.[KEY];
}

/** The caller's labels, each as `name=value`. */
export function labelsOf({ labels }) {
  const own = Object.entries(labels ?? {}).filter(([name]) => name !== KEY);
  return own.map(([name, value]) => `${name}=${value}`);
}
