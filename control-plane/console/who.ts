// Who is signed in, for screens that show only what she may do, or say why not. The server decides in any case.

import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { mayActSomewhere, type AccessRole } from '#protocol/access.ts';
import type { WhoAmI } from '#protocol/operators.ts';

export const WhoContext = createContext<WhoAmI | null>(null);

/** Null when she has the role on something; else why a button is disabled. */
export function useRoleMissing(): (role: AccessRole) => string | undefined {
  const who = useContext(WhoContext);
  return (role) => (who !== null && mayActSomewhere(who.grants, role) ? undefined : `needs the role ${role}`);
}
