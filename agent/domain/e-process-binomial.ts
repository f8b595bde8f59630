// Binomial probabilities in logs, without cancellation for any n. Pure.
// Source: C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000 (saddle-point form);
// NIST DLMF 5.11 (Stirling's series).

/** Terms smaller than this share of the sum no longer change a double. */
const NEGLIGIBLE = 1e-18;

/** ln of the probability of exactly k successes in n trials of probability p, 0 < p < 1. */
export function lnBinomialPmf(k: number, n: number, p: number): number {
  if (k === 0) return n * Math.log1p(-p);
  if (k === n) return n * Math.log(p);
  const correction = stirlingError(n) - stirlingError(k) - stirlingError(n - k);
  const deviance = devianceTerm(k, n * p) + devianceTerm(n - k, n * (1 - p));
  return correction - deviance + 0.5 * Math.log(n / (2 * Math.PI * k * (n - k)));
}

/**
 * P(X <= k) / P(X = k) for X ~ Binomial(n, p), summed downwards from k. Terms shrink when k is at or under
 * the mean, so the sum is exact to rounding and takes O(sqrt(n)) terms at most.
 */
export function lowerTailOverPmf(k: number, n: number, p: number): number {
  const odds = (1 - p) / p;
  let sum = 1;
  let term = 1;
  for (let j = k; j > 0 && term > NEGLIGIBLE * sum; j--) {
    term *= (j / (n - j + 1)) * odds;
    sum += term;
  }
  return sum;
}

/** ln P(X <= k) for X ~ Binomial(n, p). */
export function lnBinomialCdf(k: number, n: number, p: number): number {
  if (k >= n) return 0;
  if (k <= n * p) return lnBinomialPmf(k, n, p) + Math.log(lowerTailOverPmf(k, n, p));
  // Above the mean the other tail is the small one: P(X > k) mirrored.
  const failures = n - k - 1;
  const upper = Math.exp(lnBinomialPmf(k + 1, n, p)) * lowerTailOverPmf(failures, n, 1 - p);
  return Math.log1p(-upper);
}

/** ln n! - [ln sqrt(2 pi n) + n ln n - n], n >= 1. */
function stirlingError(n: number): number {
  if (n < EXACT_STIRLING.length) return EXACT_STIRLING[n] as number;
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
}

/** Under 16 the series is too short; ln n! is small enough there to be summed. */
const EXACT_STIRLING: readonly number[] = Array.from({ length: 16 }, (_, n) => {
  let lnFactorial = 0;
  for (let i = 2; i <= n; i++) lnFactorial += Math.log(i);
  return n === 0 ? 0 : lnFactorial - (0.5 * Math.log(2 * Math.PI * n) + n * Math.log(n) - n);
});

/** x ln(x/m) + m - x, accurate when x is near m. */
function devianceTerm(x: number, m: number): number {
  const difference = x - m;
  if (Math.abs(difference) >= 0.1 * (x + m)) return x * Math.log(x / m) + m - x;
  // ln(x/m) = 2 atanh(v), v = (x-m)/(x+m); the first terms of the series cancel by hand.
  const v = difference / (x + m);
  let sum = difference * v;
  let power = 2 * x * v;
  for (let j = 1; ; j++) {
    power *= v * v;
    const next = sum + power / (2 * j + 1);
    if (next === sum) return next;
    sum = next;
  }
}
