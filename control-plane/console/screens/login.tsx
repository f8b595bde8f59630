import { useEffect, useState } from 'preact/hooks';
import { LOGIN_FAILURES, waysToSignInSchema, type LoginFailure } from '#protocol/operators.ts';
import { ApiProblem, get, openSession } from '../api.ts';
import { Notice } from '../parts/notice.tsx';

const FAILURES: Readonly<Record<LoginFailure, string>> = {
  unavailable: 'The sign-in provider does not answer. Try again later, or sign in with an API token.',
  refused: 'The sign-in was called off at the provider.',
  expired: 'That sign-in took too long, was used already, or began in another browser. Sign in once more.',
  invalid: 'The answer of the sign-in provider does not hold. Sign in once more; the log of the control plane says why.',
  'no-access': 'You are signed in at the provider, but nobody has given you a role here. Ask an admin.',
}; // prettier-ignore

export function LoginScreen({ onOpen }: { onOpen: () => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<ApiProblem | null>(failureFromAddress);
  const [provider, setProvider] = useState<string | null>(null);
  useEffect(() => {
    get('/login', waysToSignInSchema).then(
      ({ oidc }) => setProvider(oidc?.name ?? null),
      (error: unknown) => setProblem((before) => before ?? problemOf(error)),
    );
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    openSession(token.trim()).then(onOpen, (error: unknown) => setProblem(problemOf(error)));
  };
  const returnTo = encodeURIComponent(location.pathname + location.search);
  return (
    <main class="login">
      <form class="panel" onSubmit={submit}>
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1>Holdfast</h1>
        <Notice problem={problem} />
        {provider === null ? null : (
          <>
            <a class="button" href={`/api/v1/oidc/login?returnTo=${returnTo}`}>
              Sign in with {provider}
            </a>
            <p class="or">or</p>
          </>
        )}
        <label>
          API token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p class="hint">
          The first one lies in the control plane’s data folder, in the file <code>admin-token</code>.
        </p>
        <button type="submit" class={provider === null ? '' : 'second'}>
          Sign in
        </button>
      </form>
    </main>
  );
}

function problemOf(error: unknown): ApiProblem {
  return error instanceof ApiProblem ? error : new ApiProblem(0, String(error));
}

/** A login that failed comes back with a code in the address, which then leaves it. */
function failureFromAddress(): ApiProblem | null {
  const code = /^#login=([a-z-]+)$/.exec(location.hash)?.[1];
  const known = LOGIN_FAILURES.find((failure) => failure === code);
  if (code === undefined) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return known === undefined ? null : new ApiProblem(401, FAILURES[known]);
}
