import { useEffect, useState } from 'preact/hooks';
import { Link, Route, Switch, useLocation } from 'wouter-preact';
import { highestRole } from '#protocol/access.ts';
import { whoAmISchema, type WhoAmI } from '#protocol/operators.ts';
import { grantsInWords, nameInWords } from '../view/access-words.ts';
import { closeSession, get, openSession, SIGNED_OUT } from './api.ts';
import { LiveContext, useEventStream } from './live.ts';
import { Badge } from './parts/badge.tsx';
import { AccessScreen } from './screens/access.tsx';
import { DeviceScreen } from './screens/device.tsx';
import { FleetScreen } from './screens/fleet.tsx';
import { LoginScreen } from './screens/login.tsx';
import { ModelScreen } from './screens/model.tsx';
import { ModelsScreen } from './screens/models.tsx';
import { RolloutScreen } from './screens/rollout.tsx';
import { RolloutsScreen } from './screens/rollouts.tsx';
import { TrustScreen } from './screens/trust.tsx';
import { VersionScreen } from './screens/version.tsx';
import { WhoContext } from './who.ts';

type Session = 'unknown' | 'closed' | WhoAmI;

export function App() {
  const [session, setSession] = useState<Session>('unknown');
  const open = (): void => {
    enter().then(setSession, () => setSession('closed'));
  };
  useEffect(() => {
    open();
    const leave = (): void => setSession('closed');
    window.addEventListener(SIGNED_OUT, leave);
    return () => window.removeEventListener(SIGNED_OUT, leave);
  }, []);
  if (session === 'unknown') return <p class="loading">Loading…</p>;
  if (session === 'closed') return <LoginScreen onOpen={open} />;
  return (
    <WhoContext.Provider value={session}>
      <Frame who={session} onLeave={() => setSession('closed')} />
    </WhoContext.Provider>
  );
}

/** A token in the address opens a session, and then leaves the address and the history. */
async function enter(): Promise<WhoAmI> {
  const token = /^#token=([^&]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) {
    history.replaceState(null, '', location.pathname);
    await openSession(decodeURIComponent(token));
  }
  return await get('/session', whoAmISchema);
}

function Frame({ who, onLeave }: { who: WhoAmI; onLeave: () => void }) {
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
          <Tab href="/trust">Trust</Tab>
          <Tab href="/access">Access</Tab>
        </nav>
        <Link href="/access" class="who" title={`${who.actor}: ${grantsInWords(who.grants)}`}>
          {nameInWords(who.actor)} <Badge tone="idle">{highestRole(who.grants)}</Badge>
        </Link>
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
          <Route path="/access" component={AccessScreen} />
          <Route path="/rollouts" component={RolloutsScreen} />
          <Route path="/rollouts/:id">{({ id }) => <RolloutScreen id={id} />}</Route>
          <Route path="/trust" component={TrustScreen} />
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
