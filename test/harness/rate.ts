/** What a provider sees of a limited rate: the moments at which messages came, and how many of them fell in one second. */

/** The most that came within any `windowMs`, of moments in milliseconds. */
export function mostWithin(moments: readonly number[], windowMs: number): number {
  const sorted = moments.toSorted((one, other) => one - other);
  let first = 0;
  let most = 0;
  sorted.forEach((moment, last) => {
    while (moment - (sorted[first] ?? moment) >= windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  });
  return most;
}

/** Messages a second between the first and the last moment. */
export function perSecondOf(moments: readonly number[]): number {
  const first = Math.min(...moments);
  const last = Math.max(...moments);
  return ((moments.length - 1) * 1000) / (last - first);
}
