// Grants in words, for the command line and the console. Pure.

import type { Grant } from '#protocol/access.ts';

/** `releaser of vision on site=berlin`. */
export function grantInWords({ role, teams, group }: Grant): string {
  const on = Object.entries(group ?? {}).map(([key, value]) => `${key}=${value}`);
  return [
    role,
    ...(teams === undefined ? [] : [`of ${teams.join(', ')}`]),
    ...(on.length === 0 ? [] : [`on ${on.join(', ')}`]),
  ].join(' ');
}

export function grantsInWords(grants: readonly Grant[]): string {
  return grants.map(grantInWords).join('; ');
}

/** The name alone of `token:ci` or `oidc:ada@fleet.example`. */
export function nameInWords(actor: string): string {
  return actor.slice(actor.indexOf(':') + 1);
}
