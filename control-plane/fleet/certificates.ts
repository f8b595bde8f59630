// The device certificates that were issued, and the keys that are out for good. Invariant: a key that was revoked is
// remembered for ever, its certificates for as long as they would have been good.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.ts';

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly serialNumber: string;
  readonly expiresAtMs: number;
  readonly spkiSha256: string;
  readonly caSpkiSha256: string;
}

export interface RevokedCertificate {
  readonly serialNumber: string;
  readonly caSpkiSha256: string;
  readonly revokedAtMs: number;
}

/** Writes a certificate down and forgets those of the device that have ended. */
export async function recordCertificate(
  trx: Kysely<Database>,
  deviceId: string,
  issued: IssuedCertificate,
  nowMs: number,
): Promise<void> {
  await trx
    .deleteFrom('certificates')
    .where('device_id', '=', deviceId)
    .where('expires_at_ms', '<', nowMs)
    .execute();
  await trx
    .insertInto('certificates')
    .values({
      serial: issued.serialNumber,
      device_id: deviceId,
      spki_sha256: issued.spkiSha256,
      ca_spki_sha256: issued.caSpkiSha256,
      expires_at_ms: issued.expiresAtMs,
      revoked_at_ms: null,
    })
    .execute();
  await trx
    .updateTable('devices')
    .set({
      spki_sha256: issued.spkiSha256,
      certificate_ca: issued.caSpkiSha256,
      certificate_expires_ms: issued.expiresAtMs,
    })
    .where('id', '=', deviceId)
    .execute();
}

/** Revokes all certificates of a device, and every key that it ever had here. */
export async function revokeKeys(
  trx: Kysely<Database>,
  device: { readonly id: string; readonly spki_sha256: string | null },
  nowMs: number,
): Promise<void> {
  const used = await trx
    .selectFrom('certificates')
    .select('spki_sha256')
    .where('device_id', '=', device.id)
    .execute();
  await trx
    .updateTable('certificates')
    .set({ revoked_at_ms: nowMs })
    .where('device_id', '=', device.id)
    .where('revoked_at_ms', 'is', null)
    .execute();
  const keys = new Set([device.spki_sha256, ...used.map((row) => row.spki_sha256)]);
  for (const key of keys) {
    if (key === null) continue;
    await trx
      .insertInto('revoked_keys')
      .values({ spki_sha256: key, device_id: device.id, revoked_at_ms: nowMs })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

export async function isRevokedKey(db: Kysely<Database>, spkiSha256: string): Promise<boolean> {
  const row = await db
    .selectFrom('revoked_keys')
    .select('device_id')
    .where('spki_sha256', '=', spkiSha256)
    .executeTakeFirst();
  return row !== undefined;
}

/** Revoked certificates that have not ended by themselves. */
export async function revokedCertificates(
  db: Kysely<Database>,
  nowMs: number,
): Promise<RevokedCertificate[]> {
  const rows = await db
    .selectFrom('certificates')
    .select(['serial', 'ca_spki_sha256', 'revoked_at_ms'])
    .where('revoked_at_ms', 'is not', null)
    .where('expires_at_ms', '>=', nowMs)
    .execute();
  return rows.map((row) => ({
    serialNumber: row.serial,
    caSpkiSha256: row.ca_spki_sha256,
    revokedAtMs: row.revoked_at_ms ?? nowMs,
  }));
}
