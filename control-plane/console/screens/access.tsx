import { useContext, useState } from 'preact/hooks';
import { z } from 'zod';
import { mayActSomewhere } from '#protocol/access.ts';
import {
  apiTokenSchema,
  newApiTokenSchema,
  rotateTokenSchema,
  sessionSchema,
  type ApiToken,
  type NewApiToken,
} from '#protocol/operators.ts';
import { grantsInWords } from '../../view/access-words.ts';
import { tokenRow } from '../../view/token-view.ts';
import { agoInWords } from '../../view/words.ts';
import { ApiProblem, call, list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { Notice } from '../parts/notice.tsx';
import { TokenForm } from '../parts/token-form.tsx';
import { WhoContext } from '../who.ts';

export function AccessScreen() {
  const nowMs = useNow();
  const who = useContext(WhoContext);
  const tokens = useLive(
    () => list('/tokens', apiTokenSchema),
    () => false,
    'tokens',
  );
  const [made, setMade] = useState<NewApiToken | null>(null);
  const [refused, setRefused] = useState<ApiProblem | null>(null);
  const attempt = (work: Promise<NewApiToken | null>): void => {
    work.then(
      (token) => {
        setRefused(null);
        setMade(token);
        tokens.reload();
      },
      (error: unknown) => setRefused(error instanceof ApiProblem ? error : new ApiProblem(0, String(error))),
    );
  };
  const revoke = ({ id, name }: ApiToken): void => {
    if (!confirm(`Void the token ${name} at once? Whoever uses it is refused from then on.`)) return;
    attempt(call('DELETE', `/tokens/${id}`, z.null()));
  };
  const rotate = ({ id, name }: ApiToken): void => {
    if (!confirm(`Give ${name} another text? The one of now is void at once.`)) return;
    attempt(call('POST', `/tokens/${id}/rotate`, newApiTokenSchema, rotateTokenSchema.parse({})));
  };
  return (
    <>
      <h1>Access</h1>
      <p class="reason">
        You are {who?.actor ?? 'nobody'}: {who === null ? '' : grantsInWords(who.grants)}.
      </p>
      <Notice problem={refused ?? tokens.problem} />
      {made === null ? null : <NewToken token={made} />}
      <section class="panel">
        <h2>API tokens</h2>
        {tokens.value?.length === 0 ? <p class="empty">None of yours.</p> : null}
        <table class="cards" hidden={tokens.value?.length === 0}>
          <thead>
            <tr>
              <th>Name</th>
              <th>May</th>
              <th>Good until</th>
              <th>Last used</th>
              <th>Made by</th>
              <th>
                <span class="unseen">What to do</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {(tokens.value ?? []).map((token) => {
              const row = tokenRow(token, nowMs);
              return (
                <tr key={token.id}>
                  <td data-name="Name">
                    {token.name}
                    <small>{token.id}</small>
                  </td>
                  <td data-name="May">{row.may}</td>
                  <td data-name="Good until">
                    <Badge tone={row.tone}>{row.until}</Badge>
                  </td>
                  <td data-name="Last used">{row.lastUsed}</td>
                  <td data-name="Made by">{token.createdBy}</td>
                  <td class="number">
                    {row.isChangedInFolder ? (
                      <small>kept in the data folder</small>
                    ) : (
                      <span class="buttons end">
                        <button type="button" class="second" onClick={() => rotate(token)}>
                          Rotate
                        </button>
                        <button type="button" class="danger" onClick={() => revoke(token)}>
                          Revoke
                        </button>
                      </span>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
      {who !== null && mayActSomewhere(who.grants, 'admin') ? (
        <TokenForm onCreate={(body) => attempt(call('POST', '/tokens', newApiTokenSchema, body))} />
      ) : (
        <p class="reason">To make tokens needs the role admin.</p>
      )}
      {who?.via === 'session' ? <Sessions nowMs={nowMs} /> : null}
    </>
  );
}

function NewToken({ token }: { token: NewApiToken }) {
  return (
    <section class="panel" role="status">
      <h2>{token.name}: copy it now, it is not shown again</h2>
      <p>
        <code class="secret">{token.token}</code>
      </p>
    </section>
  );
}

function Sessions({ nowMs }: { nowMs: number }) {
  const sessions = useLive(
    () => list('/sessions', sessionSchema),
    () => false,
    'sessions',
  );
  const end = (id: string): void => {
    call('DELETE', `/sessions/${id}`, z.null()).then(sessions.reload, sessions.reload);
  };
  return (
    <section class="panel">
      <h2>Your sessions</h2>
      <Notice problem={sessions.problem} />
      <ul class="devices">
        {(sessions.value ?? []).map(({ id, isCurrent, createdAtMs, usedAtMs }) => (
          <li key={id}>
            <div class="head">
              begun {agoInWords(createdAtMs, nowMs)}, used {agoInWords(usedAtMs, nowMs)}
              {isCurrent ? (
                <Badge tone="good">this one</Badge>
              ) : (
                <button type="button" class="second" onClick={() => end(id)}>
                  End it
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
