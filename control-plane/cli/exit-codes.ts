// What the command line's exit status means; documented in docs/cli.md and `holdfast --help`.

import { errorCodeOf, type ErrorCode } from '#protocol/errors.ts';

export const EXIT = {
  ok: 0,
  /** The command worked, but what it waited for ended badly (a rollout that was rolled back). */
  badOutcome: 1,
  usage: 2,
  unavailable: 3,
  refused: 4,
  notFound: 5,
  conflict: 6,
  internal: 70,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  unavailable: EXIT.unavailable,
  unauthorized: EXIT.refused,
  forbidden: EXIT.refused,
  'token-expired': EXIT.refused,
  'rate-limited': EXIT.refused,
  'not-found': EXIT.notFound,
  conflict: EXIT.conflict,
  'wrong-phase': EXIT.conflict,
  'version-exists': EXIT.conflict,
  internal: EXIT.internal,
};

/** Everything else that has a code is input that can be mended: `usage`. */
export function exitCodeOf(error: unknown): number {
  return BY_CODE[errorCodeOf(error)] ?? EXIT.usage;
}
