// Who may do what on the broker, by the name in the client's certificate (DESIGN.md section 5). Pure.

import { deviceMayPublish, deviceMaySubscribe, isRetained, parseDeviceTopic } from '#protocol/topics.ts';
import type { PeerIdentity } from './peer-identity.ts';

/** Certificate name and client id of the control plane's own connection; no device may have it. */
export const CONTROL_PLANE_ID = 'control-plane';

/** CONNACK return codes of MQTT 3.1.1, table 3.1. */
const IDENTIFIER_REJECTED = 2;
export const SERVER_UNAVAILABLE = 3;
export const NOT_AUTHORIZED = 5;

export interface ConnectRequest {
  readonly peer: PeerIdentity;
  readonly clientId: string;
  readonly protocolVersion: number;
  readonly will: { readonly topic: string; readonly retain?: boolean } | undefined;
}

export interface Refusal {
  readonly returnCode: number;
  readonly reason: string;
}

/** Null when the client may connect. */
export function refuseConnect(fleet: string, request: ConnectRequest): Refusal | null {
  const { peer, clientId, protocolVersion, will } = request;
  if (protocolVersion !== 4) {
    return { returnCode: NOT_AUTHORIZED, reason: `protocol level ${protocolVersion} is not MQTT 3.1.1` };
  }
  if (clientId !== peer.name) {
    return {
      returnCode: IDENTIFIER_REJECTED,
      reason: `client id ${clientId} is not the certificate's ${peer.name}`,
    };
  }
  if ((peer.name === CONTROL_PLANE_ID) !== (peer.kind === 'service')) {
    return { returnCode: NOT_AUTHORIZED, reason: `a ${peer.kind} named ${peer.name} has no place here` };
  }
  if (will !== undefined && !mayPublish(fleet, peer.name, will.topic, will.retain === true)) {
    return { returnCode: NOT_AUTHORIZED, reason: `a will on ${will.topic} is not allowed` };
  }
  return null;
}

export function mayPublish(fleet: string, clientId: string, topic: string, retain: boolean): boolean {
  if (clientId === CONTROL_PLANE_ID) return !topic.startsWith('$');
  const leaf = parseDeviceTopic(topic)?.leaf;
  if (leaf === undefined || (retain && !isRetained(leaf))) return false;
  return deviceMayPublish(fleet, clientId, topic);
}

export function maySubscribe(fleet: string, clientId: string, filter: string): boolean {
  return clientId === CONTROL_PLANE_ID || deviceMaySubscribe(fleet, clientId, filter);
}
