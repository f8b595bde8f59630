// Who may use the gateway, looked up at every request, so that a connection that was there before a decision gives
// nothing after it. Invariant: the key of the certificate is the key that the device has now.

import type { TLSSocket } from 'node:tls';
import type { RequestHandler } from 'express';
import { mayConnect, type DeviceState } from '#protocol/device-state.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { peerIdentity, type PeerIdentity } from '../broker/peer-identity.ts';
import { revokedKey } from './enrolment-rules.ts';

export interface Admission {
  readonly state: DeviceState;
  /** Null for a device that enrolled before that was kept. */
  readonly keySha256: string | null;
}

/** Lets through who proved to be a device that may connect, and puts its id and state on the response. */
export function requireDevice(admission: (deviceId: string) => Promise<Admission | null>): RequestHandler {
  const peers = new WeakMap<TLSSocket, PeerIdentity>();
  const peerOf = (socket: TLSSocket): PeerIdentity | null => {
    const peer = peers.get(socket) ?? peerIdentity(socket);
    if (peer !== null) peers.set(socket, peer);
    return peer;
  };
  return async (request, response, next) => {
    const socket = request.socket as TLSSocket;
    const peer = peerOf(socket);
    const found = peer?.kind === 'device' ? await admission(peer.name) : null;
    if (peer === null || found === null) throw refused(socket);
    const { state, keySha256 } = found;
    if (state === 'revoked' || state === 'decommissioned') throw revokedKey(peer.name);
    if (keySha256 !== null && keySha256 !== peer.keySha256) throw revokedKey(peer.name);
    if (!mayConnect(state)) throw new HoldfastError('approval-pending', `${peer.name} waits for approval`);
    response.locals['deviceId'] = peer.name;
    response.locals['isQuarantined'] = state === 'quarantined';
    next();
  };
}

/** After `requireDevice`. */
export const refuseQuarantined: RequestHandler = (_request, response, next) => {
  if (response.locals['isQuarantined'] !== true) return next();
  throw new HoldfastError(
    'device-quarantined',
    'this device is quarantined: it keeps what it has and gets nothing',
    {
      hint: 'an operator releases it',
    },
  );
};

function refused(socket: TLSSocket): HoldfastError {
  // Node sets a code of OpenSSL's (its types say Error).
  const why = String(socket.authorizationError);
  if (why === 'CERT_HAS_EXPIRED') {
    return new HoldfastError(
      'unauthorized',
      'the certificate of this device has ended, so it cannot be renewed',
      {
        hint: 'check its clock; else enrol it again, with a claim made by --device ID --replace',
      },
    );
  }
  return new HoldfastError('unauthorized', 'this needs the certificate of an enrolled device', {
    hint: 'enrol first: POST /enrol with a claim and a certificate request',
  });
}
