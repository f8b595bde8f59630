import { useState } from 'preact/hooks';
import { ApiProblem, openSession } from '../api.ts';
import { Notice } from '../parts/notice.tsx';

export function LoginScreen({ onOpen }: { onOpen: () => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    openSession(token.trim()).then(onOpen, (error: unknown) =>
      setProblem(error instanceof ApiProblem ? error : new ApiProblem(0, String(error))),
    );
  };
  return (
    <main class="login">
      <form class="panel" onSubmit={submit}>
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1>Holdfast</h1>
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
        <Notice problem={problem} />
        <button type="submit">Sign in</button>
      </form>
    </main>
  );
}
