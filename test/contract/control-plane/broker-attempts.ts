// What somebody with credentials of the fleet, or without, may try on a broker, and what comes of it. The
// same on every broker but where `outside` says what one that runs with our generated files lets through.

import type { Bytes } from '#test/integration/broker/raw-client.ts';

/** Which certificate the attempt is made with; `own` is camera-1's. */
export type Credential =
  | 'own'
  | 'none'
  | 'of another authority'
  | 'expired'
  | 'revoked'
  | 'for servers'
  | 'of the gateway'
  | 'named +'
  | 'unknown to the fleet'
  | 'of a device named control-plane';

export type Deed =
  /** Allowed: the message reaches whoever listens to everything. */
  | { readonly kind: 'publish'; readonly topic: Bytes; readonly retain?: boolean }
  /** Allowed: a message on one of the topics comes. */
  | { readonly kind: 'subscribe'; readonly filter: Bytes; readonly probes?: readonly string[] }
  /** Allowed: it is published when the connection breaks. */
  | { readonly kind: 'will'; readonly topic: Bytes; readonly retain: boolean }
  /** Allowed: CONNECT is answered with yes. */
  | {
      readonly kind: 'connect';
      readonly as?: Credential;
      readonly level?: number;
      readonly maxVersion?: 'TLSv1.2';
    }
  /** Allowed: the one who has the name loses its connection, or its topics are written. */
  | { readonly kind: 'impersonate'; readonly clientId: Bytes; readonly as?: Credential }
  /** Allowed: the connection lives on. */
  | {
      readonly kind: 'break the protocol';
      readonly how: 'second CONNECT' | 'PUBLISH first' | 'SUBSCRIBE first';
    };

export interface Attempt {
  readonly deed: Deed;
  readonly allowed: boolean;
  /** A broker outside lets it through all the same, and why that is. */
  readonly outside?: string;
}

const OWN = 'holdfast/v1/lab/camera-1';
const OTHER = 'holdfast/v1/lab/camera-2';
const NOT_UTF8 = Buffer.concat([Buffer.from(`${OTHER}/`), Buffer.from([0xff, 0xfe])]);

const refused = (deed: Deed, outside?: string): Attempt => ({
  deed,
  allowed: false,
  ...(outside === undefined ? {} : { outside }),
});
const allowed = (deed: Deed): Attempt => ({ deed, allowed: true });

export const ATTEMPTS: readonly Attempt[] = [
  // Its own branch.
  ...['reported', 'presence'].map((leaf) =>
    allowed({ kind: 'publish', topic: `${OWN}/${leaf}`, retain: true }),
  ),
  ...['telemetry', 'events', 'reply', 'log', 'blob/request'].map((leaf) =>
    allowed({ kind: 'publish', topic: `${OWN}/${leaf}` }),
  ),
  ...['desired', 'command', 'blob/chunk'].map((leaf) =>
    allowed({ kind: 'subscribe', filter: `${OWN}/${leaf}`, probes: [`${OWN}/${leaf}`] }),
  ),
  allowed({ kind: 'will', topic: `${OWN}/presence`, retain: true }),
  allowed({ kind: 'connect' }),

  // Writing what the control plane writes, or what is no leaf.
  ...['desired', 'command', 'blob/chunk', 'unknown', 'blob', 'desired/', '/events', 'events/x'].map((leaf) =>
    refused({ kind: 'publish', topic: `${OWN}/${leaf}` }),
  ),
  refused({ kind: 'publish', topic: `${OWN}/desired`, retain: true }),
  ...['events', 'telemetry', 'log'].map((leaf) =>
    refused(
      { kind: 'publish', topic: `${OWN}/${leaf}`, retain: true },
      'an ACL does not tell retained messages from others',
    ),
  ),

  // Device A's credentials on B's topics.
  ...['reported', 'presence', 'telemetry', 'events', 'desired', 'command', 'blob/chunk'].map((leaf) =>
    refused({ kind: 'publish', topic: `${OTHER}/${leaf}` }),
  ),
  refused({ kind: 'publish', topic: `${OTHER}/reported`, retain: true }),
  ...['desired', 'command', 'reported', 'events', 'blob/chunk'].map((leaf) =>
    refused({ kind: 'subscribe', filter: `${OTHER}/${leaf}` }),
  ),
  refused({ kind: 'will', topic: `${OTHER}/presence`, retain: true }),
  refused({ kind: 'will', topic: `${OTHER}/events`, retain: false }),

  // Other fleets, other roots, names written otherwise.
  ...[
    'holdfast/v1/other/camera-1/events',
    'holdfast/v2/lab/camera-1/events',
    'Holdfast/v1/lab/camera-1/events',
    'holdfast/v1/lab/Camera-1/events',
    'holdfast/v1/lab/camera-1 /events',
    'holdfast/v1/lab//events',
    '/holdfast/v1/lab/camera-1/events',
    'holdfast/v1/lab/camera-1/../camera-2/events',
    'holdfast/v1/lab/cámera-1/events',
    'holdfast/v1/lab/camera‑1/events',
    'holdfast/v1/lab/camera-2\u0000/events',
    'holdfast/v1/lab/camera-1/events\u0000',
    '\u0000',
    'events',
    'a/b/c/d/e/f/g/h/i/j/k/l',
    '$SYS/broker/version',
    '$SYS/x/new/clients',
    '$share/all/holdfast/v1/lab/camera-2/events',
    '$CONTROL/dynamic-security/v1',
  ].map((topic) => refused({ kind: 'publish', topic })),
  refused({ kind: 'publish', topic: NOT_UTF8 }),
  refused({ kind: 'publish', topic: '' }),

  // Wildcards.
  ...[`${OWN}/+`, `${OWN}/#`, '#', '+/+/+/+/+', 'holdfast/v1/lab/+/events'].map((topic) =>
    refused({ kind: 'publish', topic }),
  ),
  ...[
    '#',
    '+/#',
    '/#',
    '+/+/+/+/+',
    'holdfast/#',
    'holdfast/v1/lab/#',
    'holdfast/v1/lab/+/desired',
    'holdfast/v1/lab/+/#',
    'holdfast/v1/+/camera-1/desired',
    `${OWN}/#`,
    `${OWN}/+`,
    `${OWN}/desired/#`,
    '$SYS/#',
    '$SYS/+/new/clients',
    '$share/all/#',
    '$share/all/holdfast/v1/lab/+/desired',
    `$share/all/${OTHER}/desired`,
    `$share//${OTHER}/desired`,
    '$queue/#',
    `$exclusive/${OTHER}/desired`,
    'holdfast/v1/lab/camera-2\u0000/desired',
    'holdfast/v1/lab/camera-2/desired/',
    '',
  ].map((filter) => refused({ kind: 'subscribe', filter })),

  // Wills.
  refused({ kind: 'will', topic: `${OWN}/desired`, retain: true }),
  refused({ kind: 'will', topic: `${OWN}/command`, retain: false }),
  refused(
    { kind: 'will', topic: `${OWN}/events`, retain: true },
    'an ACL does not tell retained messages from others',
  ),
  refused({ kind: 'will', topic: '$SYS/x/new/clients', retain: false }),
  refused({ kind: 'will', topic: 'holdfast/v1/lab/+/events', retain: false }),
  refused({ kind: 'will', topic: '#', retain: true }),
  refused({ kind: 'will', topic: '', retain: false }),

  // Who may connect.
  ...(['none', 'of another authority', 'expired', 'revoked', 'for servers'] as const).map((as) =>
    refused({ kind: 'connect', as }),
  ),
  refused({ kind: 'connect', maxVersion: 'TLSv1.2' }),
  refused({ kind: 'connect', as: 'of the gateway' }, 'it is let in, and may do nothing'),
  refused({ kind: 'connect', as: 'named +' }, 'it is let in, and may do nothing'),
  refused({ kind: 'connect', as: 'unknown to the fleet' }, 'it asks no database, only the revocation list'),
  refused(
    { kind: 'connect', as: 'of a device named control-plane' },
    'it reads the name alone; the authority signs no such certificate',
  ),
  refused({ kind: 'connect', level: 3 }, 'it speaks MQTT 3.1 as well'),
  refused({ kind: 'connect', level: 5 }, 'it speaks MQTT 5 as well'),
  refused({ kind: 'connect', level: 6 }),
  ...[
    'camera-2',
    'control-plane',
    'CAMERA-2',
    'camera-2\u0000',
    ' camera-2',
    'camera-2/events',
    '+',
    '#',
    '',
  ].map((clientId) => refused({ kind: 'impersonate', clientId })),
  refused({ kind: 'impersonate', clientId: 'camera-2', as: 'of the gateway' }),
  refused({ kind: 'impersonate', clientId: 'camera-2', as: 'named +' }),

  ...(['second CONNECT', 'PUBLISH first', 'SUBSCRIBE first'] as const).map((how) =>
    refused({ kind: 'break the protocol', how }),
  ),
];

/** A line for people. */
export function describeDeed(deed: Deed): string {
  const shown = (value: Bytes): string =>
    JSON.stringify(typeof value === 'string' ? value : Buffer.from(value).toString('latin1'));
  switch (deed.kind) {
    case 'publish':
      return `publish on ${shown(deed.topic)}${deed.retain === true ? ', retained' : ''}`;
    case 'subscribe':
      return `subscribe to ${shown(deed.filter)}`;
    case 'will':
      return `a will on ${shown(deed.topic)}${deed.retain ? ', retained' : ''}`;
    case 'connect':
      return `connect with ${deed.as ?? 'own'}${deed.level === undefined ? '' : ` by protocol level ${deed.level}`}${
        deed.maxVersion === undefined ? '' : ` by ${deed.maxVersion}`
      }`;
    case 'impersonate':
      return `take the name ${shown(deed.clientId)} with ${deed.as ?? 'own'}`;
    case 'break the protocol':
      return deed.how;
  }
}
