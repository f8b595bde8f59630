// A device's last order as its row keeps it, and what of it still stands. Pure.

import { z } from 'zod';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { isDeploymentEnded } from '#protocol/deployment.ts';
import { counterSchema, sha256Schema } from '#protocol/identifiers.ts';
import { reportedBodySchema, type DeploymentReport } from '#protocol/messages.ts';
import { directorCustomSchema } from '#protocol/release.ts';
import type { DeviceRow } from './devices.ts';

/** An order whole, as the Director signs it (trust/director-repository.ts) and `json_order` keeps it. */
export const storedOrderSchema = z.strictObject({
  targetPath: z.string().min(1).max(300),
  length: counterSchema,
  sha256: sha256Schema,
  custom: directorCustomSchema,
});
export type StoredOrder = z.infer<typeof storedOrderSchema>;

export function storedOrder(row: DeviceRow): StoredOrder | null {
  return row.json_order === null ? null : storedOrderSchema.parse(JSON.parse(row.json_order));
}

/** The highest number anybody knows of: after a restored backup, metadata or device may be ahead of the row. */
export function highestSeq(row: DeviceRow, signed: StoredOrder | null): number {
  return Math.max(row.desired_seq, signed?.custom.seq ?? 0, reportedDeployment(row)?.seq ?? 0);
}

/** The device has not said that it ended this order. */
export function isOpen(row: DeviceRow, order: StoredOrder): boolean {
  const deployment = reportedDeployment(row);
  return deployment === null || deployment.seq < order.custom.seq || !isDeploymentEnded(deployment.state);
}

export function isSameOrder(a: StoredOrder, b: StoredOrder): boolean {
  const withoutSeq = ({ custom, ...rest }: StoredOrder) =>
    canonicalJson({ ...rest, custom: { ...custom, seq: 0 } });
  return withoutSeq(a) === withoutSeq(b);
}

function reportedDeployment(row: DeviceRow): DeploymentReport | null {
  return row.json_reported === null
    ? null
    : reportedBodySchema.parse(JSON.parse(row.json_reported)).deployment;
}
