import { useState } from 'preact/hooks';
import { ACCESS_ROLES, type AccessRole } from '#protocol/access.ts';

const DAY_MS = 86_400_000;

/** Asks for name, role, narrowing and days; what the server refuses is said where the form is used. */
export function TokenForm({ onCreate }: { onCreate: (body: unknown) => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<AccessRole>('viewer');
  const [teams, setTeams] = useState('');
  const [group, setGroup] = useState('');
  const [days, setDays] = useState('90');
  const submit = (event: Event): void => {
    event.preventDefault();
    const narrowing = { ...named('teams', wordsOf(teams)), ...named('group', labelsOf(group)) };
    onCreate({ name, grants: [{ role, ...narrowing }], ttlMs: Number(days) * DAY_MS });
  };
  return (
    <form class="panel fields" onSubmit={submit}>
      <h2>A new token</h2>
      <label>
        Name
        <input
          required
          maxLength={63}
          autoComplete="off"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        Role
        <select value={role} onChange={(event) => setRole(event.currentTarget.value as AccessRole)}>
          {ACCESS_ROLES.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Only these teams
        <input
          placeholder="all"
          autoComplete="off"
          value={teams}
          onInput={(event) => setTeams(event.currentTarget.value)}
        />
      </label>
      <label>
        Only devices with
        <input
          placeholder="any labels; site=berlin"
          autoComplete="off"
          value={group}
          onInput={(event) => setGroup(event.currentTarget.value)}
        />
      </label>
      <label>
        Good for days
        <input
          type="number"
          min={1}
          max={366}
          required
          value={days}
          onInput={(event) => setDays(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Make it</button>
    </form>
  );
}

function named(name: string, value: readonly string[] | Record<string, string>): object {
  return Object.keys(value).length === 0 ? {} : { [name]: value };
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

/** `site=berlin, line=2`; a word without `=` is a label without value, which the server then compares. */
function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    wordsOf(text).map((word) => {
      const at = word.indexOf('=');
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
