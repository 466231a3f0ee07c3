// Arithmetic of the timeline: sums, wider buckets, shares.

/**
 * Everything of a span in one: counts, the median of the medians (each weighs as many requests as it had), the worst
 * p95.
 */
export function summed(buckets) {
  const sum = { requests: 0, failed: 0, failedOver: 0, median: null, slowest: null };
  const medians = [];
  for (const bucket of buckets) {
    sum.requests += bucket.requests;
    sum.failed += bucket.failed;
    sum.failedOver += bucket.failed_over;
    if (bucket.p50_ms !== null) medians.push([bucket.p50_ms, bucket.requests]);
    if (bucket.p95_ms !== null) sum.slowest = Math.max(sum.slowest ?? 0, bucket.p95_ms);
  }
  sum.median = weightedMedian(medians);
  return sum;
}

function weightedMedian(pairs) {
  const half = pairs.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let passed = 0;
  for (const [value, weight] of pairs.toSorted(([a], [b]) => a - b)) {
    passed += weight;
    if (passed >= half && weight > 0) return value;
  }
  return null;
}

/**
 * At most `most` buckets, each of a few: counts are added; of the medians the median is taken, of the p95s the worst.
 */
export function widened(buckets, most) {
  const each = Math.max(1, Math.ceil(buckets.length / most));
  if (each === 1) return buckets;
  const wide = [];
  // Counted from the end, so that only the oldest may be smaller than the rest.
  for (let end = buckets.length; end > 0; end -= each)
    wide.unshift(merged(buckets.slice(Math.max(0, end - each), end)));
  return wide;
}

function merged(buckets) {
  const { requests, failed, failedOver, median, slowest } = summed(buckets);
  const firsts = buckets.filter((bucket) => (bucket.first_token_p50_ms ?? null) !== null);
  return {
    at: buckets[0].at,
    requests,
    failed,
    failed_over: failedOver,
    p50_ms: median,
    p95_ms: slowest,
    first_token_p50_ms: weightedMedian(firsts.map((bucket) => [bucket.first_token_p50_ms, bucket.requests])),
    by_provider: Object.fromEntries(served(buckets)),
  };
}

/** How many requests each provider served, most first. */
export function served(buckets) {
  const sums = new Map();
  for (const bucket of buckets) {
    for (const [provider, number] of Object.entries(bucket.by_provider ?? {}))
      sums.set(provider, (sums.get(provider) ?? 0) + number);
  }
  return [...sums].filter(([, number]) => number > 0).toSorted(([, a], [, b]) => b - a);
}
