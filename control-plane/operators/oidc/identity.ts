// A person as the OpenID provider knows her, and the grants that a mapping of the operator's gives her. Pure.

import { z } from 'zod';
import { grantsSchema, type Grant } from '#protocol/access.ts';

export const identitySchema = z.strictObject({
  issuer: z.string().max(1_000),
  /** The provider's own name for her, which never goes to another. */
  subject: z.string().min(1).max(255),
  /** Lower case, and only when the provider has verified it. */
  email: z.string().max(320).nullable(),
  groups: z.array(z.string().max(255)).max(1_000),
});
export type Identity = z.infer<typeof identitySchema>;

const grantsField = { grants: grantsSchema };
const ruleSchema = z.union([
  z.strictObject({ group: z.string().min(1).max(255), ...grantsField }),
  z.strictObject({ email: z.email().max(320).toLowerCase(), ...grantsField }),
  z.strictObject({ subject: z.string().min(1).max(255), ...grantsField }),
]);

/** Who gets what; everybody gets what all rules that fit give together, and nobody else gets in. */
export const identityRulesSchema = z.strictObject({ rules: z.array(ruleSchema).min(1).max(1_000) });
export type IdentityRules = z.infer<typeof identityRulesSchema>;

/** Empty for somebody whom no rule knows. */
export function grantsOf({ rules }: IdentityRules, identity: Identity): Grant[] {
  return rules
    .filter((rule) => {
      if ('group' in rule) return identity.groups.includes(rule.group);
      return 'email' in rule ? rule.email === identity.email : rule.subject === identity.subject;
    })
    .flatMap((rule) => rule.grants);
}

/** As written in the audit log. */
export function labelOf({ email, subject }: Identity): string {
  return `oidc:${email ?? subject}`;
}
