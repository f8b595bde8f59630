import { useEffect, useState } from 'preact/hooks';
import { Link, Route, Switch, useLocation } from 'wouter-preact';
import { z } from 'zod';
import { closeSession, get, openSession } from './api.ts';
import { LiveContext, useEventStream } from './live.ts';
import { DeviceScreen } from './screens/device.tsx';
import { FleetScreen } from './screens/fleet.tsx';
import { LoginScreen } from './screens/login.tsx';
import { ModelScreen } from './screens/model.tsx';
import { ModelsScreen } from './screens/models.tsx';
import { RolloutScreen } from './screens/rollout.tsx';
import { RolloutsScreen } from './screens/rollouts.tsx';
import { VersionScreen } from './screens/version.tsx';

type Session = 'unknown' | 'open' | 'closed';

export function App() {
  const [session, setSession] = useState<Session>('unknown');
  useEffect(() => {
    enter().then(
      () => setSession('open'),
      () => setSession('closed'),
    );
  }, []);
  if (session === 'unknown') return <p class="loading">Loading…</p>;
  if (session === 'closed') return <LoginScreen onOpen={() => setSession('open')} />;
  return <Frame onLeave={() => setSession('closed')} />;
}

/** A token in the address opens a session, and then leaves the address and the history. */
async function enter(): Promise<void> {
  const token = /^#token=([^&]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) {
    history.replaceState(null, '', location.pathname);
    await openSession(decodeURIComponent(token));
  }
  await get('/devices', z.unknown());
}

function Frame({ onLeave }: { onLeave: () => void }) {
  const live = useEventStream();
  const leave = (): void => {
    void closeSession().finally(onLeave);
  };
  return (
    <LiveContext.Provider value={live}>
      <header class="top">
        <Link href="/" class="brand" aria-label="Holdfast">
          <img src="/favicon.svg" alt="" width="22" height="22" /> <span>Holdfast</span>
        </Link>
        <nav>
          <Tab href="/">Fleet</Tab>
          <Tab href="/models">Models</Tab>
          <Tab href="/rollouts">Rollouts</Tab>
        </nav>
        <span
          class={`live ${live.connected ? 'on' : 'off'}`}
          title={live.connected ? 'Changes appear by themselves' : 'Trying to reach the control plane'}
        >
          {live.connected ? 'live' : 'not connected'}
        </span>
        <button type="button" class="quiet" onClick={leave}>
          Sign out
        </button>
      </header>
      <main>
        <Switch>
          <Route path="/" component={FleetScreen} />
          <Route path="/devices/:id">{({ id }) => <DeviceScreen id={id} />}</Route>
          <Route path="/models" component={ModelsScreen} />
          <Route path="/models/:name">{({ name }) => <ModelScreen name={name} />}</Route>
          <Route path="/models/:model/versions/:version">
            {({ model, version }) => <VersionScreen model={model} version={version} />}
          </Route>
          <Route path="/rollouts" component={RolloutsScreen} />
          <Route path="/rollouts/:id">{({ id }) => <RolloutScreen id={id} />}</Route>
          <Route>
            <p class="empty">There is no such page.</p>
          </Route>
        </Switch>
      </main>
    </LiveContext.Provider>
  );
}

function Tab({ href, children }: { href: string; children: string }) {
  const [path] = useLocation();
  const isHere = href === '/' ? path === '/' || path.startsWith('/devices') : path.startsWith(href);
  return (
    <Link href={href} aria-current={isHere ? 'page' : undefined}>
      {children}
    </Link>
  );
}
