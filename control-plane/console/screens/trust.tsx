import { trustStatusSchema } from '#protocol/trust.ts';
import { trustView, type TrustRow } from '../../view/trust-view.ts';
import { get } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { Notice } from '../parts/notice.tsx';

const TITLES: Readonly<Record<string, string>> = {
  image: 'What may be installed',
  director: 'What each device should run',
};

export function TrustScreen() {
  const nowMs = useNow();
  const status = useLive(
    () => get('/trust', trustStatusSchema),
    (event) => event.kind === 'trust' || event.kind === 'model',
    'trust',
  );
  if (status.value === null) return <Notice problem={status.problem} />;
  const view = trustView(status.value, nowMs);
  return (
    <>
      <h1>Trust</h1>
      <Notice problem={status.problem} />
      {view.advice.length === 0 ? null : (
        <section class="panel">
          <h2>To do</h2>
          <ul class="advice">
            {view.advice.map((line) => (
              <li key={line}>
                {line.split('`').map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}
              </li>
            ))}
          </ul>
        </section>
      )}
      {view.repositories.map(({ name, rows }) => (
        <section class="panel" key={name}>
          <h2>{TITLES[name] ?? name}</h2>
          <table class="cards">
            <thead>
              <tr>
                <th>Role</th>
                <th>Signed by</th>
                <th>Expires</th>
                <th class="number">Targets</th>
                <th class="number">Version</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.role} row={row} />
              ))}
            </tbody>
          </table>
        </section>
      ))}
      <p class="reason">{view.keysAtRest}</p>
    </>
  );
}

function Row({ row }: { row: TrustRow }) {
  return (
    <tr>
      <td data-name="Role">
        <strong>{row.role}</strong>
        <small>{row.what}</small>
        {row.waits === null ? null : <Badge tone="attention">{row.waits}</Badge>}
      </td>
      <td data-name="Signed by">
        <details>
          <summary>
            {row.signers} {row.holder === 'both' ? 'keys, some of them here' : `keys, ${row.holder}`}
          </summary>
          <ul class="keys">
            {row.keys.map(({ keyId, scheme, whose }) => (
              <li key={keyId}>
                {whose} <small>{scheme}</small>
                <code>{keyId}</code>
              </li>
            ))}
          </ul>
        </details>
      </td>
      <td data-name="Expires">
        <Badge tone={row.tone}>{row.expires}</Badge>
      </td>
      <td data-name="Targets" class="number">
        {row.targets ?? '–'}
      </td>
      <td data-name="Version" class="number">
        {row.version}
      </td>
    </tr>
  );
}
