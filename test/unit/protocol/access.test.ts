import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_ROLES,
  highestRole,
  isWithin,
  mayAct,
  mayActSomewhere,
  type AccessTarget,
  type Grant,
} from '#protocol/access.ts';

const TEAMS = ['vision', 'audio'];
const SITES = ['berlin', 'paris'];
const role = fc.constantFrom(...ACCESS_ROLES);
const labels = fc.record(
  { site: fc.constantFrom(...SITES), line: fc.constantFrom('1', '2') },
  { requiredKeys: [] },
);
const grant: fc.Arbitrary<Grant> = fc
  .record({
    role,
    teams: fc.option(fc.uniqueArray(fc.constantFrom(...TEAMS), { minLength: 1 }), { nil: undefined }),
    group: fc.option(
      labels.filter((of) => Object.keys(of).length > 0),
      { nil: undefined },
    ),
  })
  .map(({ teams, group, ...rest }) => ({
    ...rest,
    ...(teams === undefined ? {} : { teams }),
    ...(group === undefined ? {} : { group }),
  }));
const grants = fc.array(grant, { minLength: 1, maxLength: 3 });

/** Every target there can be with these teams and labels. */
const TARGETS: AccessTarget[] = [undefined, null, ...TEAMS].flatMap((team) =>
  [undefined, {}, ...SITES.flatMap((site) => [{ site }, { site, line: '1' }, { site, line: '2' }])].map(
    (of) => ({
      ...(team === undefined ? {} : { team }),
      ...(of === undefined ? {} : { labels: of }),
    }),
  ),
);
const allowed = (held: readonly Grant[]): boolean[] =>
  ACCESS_ROLES.flatMap((needed) => TARGETS.map((target) => mayAct(held, needed, target)));

describe('a grant', () => {
  it('has what the roles before its own have', () => {
    fc.assert(
      fc.property(grants, fc.constantFrom(...TARGETS), (held, target) => {
        const answers = ACCESS_ROLES.map((needed) => mayAct(held, needed, target));
        expect(answers.every((may, index) => index === 0 || !may || answers[index - 1] === true)).toBe(true);
      }),
    );
  });

  it('that is not narrowed is good for everything', () => {
    expect(TARGETS.every((target) => mayAct([{ role: 'admin' }], 'admin', target))).toBe(true);
    expect(TARGETS.some((target) => mayAct([{ role: 'viewer' }], 'operator', target))).toBe(false);
  });

  it('that is narrowed is good for nothing that has neither team nor device', () => {
    fc.assert(
      fc.property(grant, role, (one, needed) => {
        fc.pre(one.teams !== undefined || one.group !== undefined);
        return (
          !mayAct([one], needed) &&
          !mayAct([one], needed, { team: null }) &&
          !mayAct([one], needed, { labels: {} })
        );
      }),
    );
  });

  const releaser: Grant = { role: 'releaser', teams: ['vision'], group: { site: 'berlin' } };
  it.each<[string, Grant, AccessTarget, boolean]>([
    ['its team', releaser, { team: 'vision' }, true],
    ['another team', releaser, { team: 'audio' }, false],
    ['a device of its group', releaser, { labels: { site: 'berlin', line: '1' } }, true],
    ['a device outside its group', releaser, { labels: { site: 'paris' } }, false],
    ['its team on its group', releaser, { team: 'vision', labels: { site: 'berlin' } }, true],
    ['its team elsewhere', releaser, { team: 'vision', labels: { site: 'paris' } }, false],
    ['another team on its group', releaser, { team: 'audio', labels: { site: 'berlin' } }, false],
    ['any device, when only teams are named', { role: 'releaser', teams: ['vision'] }, { labels: { site: 'berlin' } }, false],
    ['its team on any device, when only teams are named', { role: 'releaser', teams: ['vision'] }, { team: 'vision', labels: {} }, true],
    ['any team, when only a group is named', { role: 'releaser', group: { site: 'berlin' } }, { team: 'vision' }, false],
  ])('for %s', (_what, one, target, expected) => {
    expect(mayAct([one], 'releaser', target)).toBe(expected);
  }); // prettier-ignore

  it('is not fooled by the members that every object has', () => {
    const odd: Grant = { role: 'viewer', group: { constructor: 'x' } };
    expect(mayAct([odd], 'viewer', { labels: {} })).toBe(false);
  });
});

describe('what a token may be given', () => {
  it('allows nothing that its maker does not have', () => {
    fc.assert(
      fc.property(grants, grants, (wanted, held) => {
        fc.pre(isWithin(wanted, held));
        const mine = allowed(held);
        expect(allowed(wanted).every((may, index) => !may || mine[index] === true)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('may be all that the maker has, a lower role, fewer teams or a smaller group', () => {
    fc.assert(fc.property(grants, (held) => isWithin(held, held)));
    const held: Grant[] = [{ role: 'releaser', teams: TEAMS, group: { site: 'berlin' } }];
    const smaller: Grant = { role: 'viewer', teams: ['audio'], group: { site: 'berlin', line: '1' } };
    expect(isWithin([smaller], held)).toBe(true);
    expect(isWithin(held, [smaller])).toBe(false);
  });

  it('names no more than the maker does: a team alone gives no say over devices', () => {
    const teamOnly: Grant[] = [{ role: 'operator', teams: ['vision'] }];
    expect(isWithin([{ role: 'operator', teams: ['vision'], group: { site: 'berlin' } }], teamOnly)).toBe(
      false,
    );
  });
});

describe('the role that somebody has', () => {
  it('is the highest, on whatever it is narrowed to', () => {
    fc.assert(
      fc.property(grants, (held) => {
        const highest = highestRole(held);
        expect(ACCESS_ROLES.filter((needed) => mayActSomewhere(held, needed)).at(-1)).toBe(highest);
      }),
    );
  });
});
