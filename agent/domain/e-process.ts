// Betting e-processes for a coin: evidence against H0 that stays valid at any number of looks. Pure.
// E_n = 1/(1-p0) * integral over theta in (p0,1) of (theta/p0)^k ((1-theta)/(1-p0))^(n-k): the mixture of
// likelihood ratios is a test supermartingale under P(x=1 | past) <= p0, so P(ever E >= 1/alpha) <= alpha.
// Source: Ville, "Etude critique de la notion de collectif", 1939; Shafer, JRSS A 184(2), 2021 (testing by
// betting); Ramdas, Grunwald, Vovk, Shafer, Statistical Science 38(4), 2023 (e-processes).

import { lnBinomialCdf, lnBinomialPmf, lowerTailOverPmf } from './e-process-binomial.ts';

export const LN10 = Math.log(10);

/**
 * ln E_n after `k` ones in `n` against H0: P(x=1) <= p0, theta uniform on (p0, 1). p0 >= 1 can never be
 * contradicted (0); p0 <= 0 is contradicted by the first one, and held at the smallest double above 0.
 */
export function lnEAtMost(k: number, n: number, p0: number): number {
  if (n === 0 || p0 >= 1) return 0;
  const p = Math.max(p0, Number.EPSILON);
  // With X ~ Binomial(n+1, p): E = P(X <= k) / ((n+1) (1-p) P(Binomial(n,p) = k)); under the mean the
  // quotient is one sum that needs no logs.
  if (k <= (n + 1) * p) return Math.log(lowerTailOverPmf(k, n + 1, p) / (n + 1 - k));
  return lnBinomialCdf(k, n + 1, p) - lnBinomialPmf(k, n, p) - Math.log(n + 1) - Math.log1p(-p);
}

/** The mirror: ln E_n after `k` ones in `n` against H0: P(x=1) >= p0, theta uniform on (0, p0). */
export function lnEAtLeast(k: number, n: number, p0: number): number {
  return lnEAtMost(n - k, n, 1 - p0);
}
