// The trust repositories as lines for people.

import type { TrustOutcome, TrustStatus } from '#protocol/trust.ts';
import { trustView } from '../view/trust-view.ts';
import { tableLines } from './output.ts';

/** What became of a change, and what is to be done next. */
export function outcomeLines(repository: string, { published, staged }: TrustOutcome): string[] {
  return [
    ...published.map((role) => `${repository} ${role}: published`),
    ...staged.map(
      (role) =>
        `${repository} ${role}: waits for signatures; next: holdfast trust sign ${role} --repository ${repository} --key FILE`,
    ),
  ];
}

export function statusLines(status: TrustStatus, nowMs: number): string[] {
  const view = trustView(status, nowMs);
  return view.repositories
    .flatMap(({ name, rows }) => [
      `${name} repository`,
      ...tableLines(
        ['role', 'version', 'signers', 'keys', 'expires', 'targets', 'waits for'],
        rows.map((row) => [
          row.role,
          row.version,
          row.signers,
          row.holder,
          row.expires,
          row.targets,
          row.waits ?? '',
        ]),
      ),
      ...rows.flatMap(({ role, what, keys }) => [
        `  ${role}: ${what}`,
        ...keys.map(({ keyId, scheme, whose }) => `    ${keyId}  ${scheme}  ${whose}`),
      ]),
      '',
    ])
    .concat(
      view.keysAtRest,
      view.advice.map((line) => `! ${line}`),
    );
}
