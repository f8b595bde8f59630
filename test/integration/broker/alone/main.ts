// An embedded broker in a process of its own, so that its memory can be measured. Takes its options as one
// message from its parent, answers with its port, and ends with its parent.

import { startBroker } from '#control-plane/broker/broker.ts';
import type { BrokerLimits } from '#control-plane/broker/limits.ts';
import type { TlsCredentials } from '#control-plane/broker/tls-credentials.ts';
import { createLogger } from '#control-plane/logger.ts';

export interface LoneBrokerOptions {
  readonly fleet: string;
  readonly tls: TlsCredentials;
  readonly limits?: Partial<BrokerLimits>;
}

process.once('message', (options: LoneBrokerOptions) => {
  void startBroker({
    ...options,
    host: '127.0.0.1',
    port: 0,
    isKnownDevice: () => Promise.resolve(true),
    logger: createLogger({ level: 'silent', write: () => undefined }),
  }).then(({ port }) => process.send?.({ port }));
});
process.once('disconnect', () => process.exit());
