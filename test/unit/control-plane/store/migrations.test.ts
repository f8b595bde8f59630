// Data of an earlier Holdfast, brought up to date.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tokenBySha256 } from '#control-plane/operators/token-store.ts';
import { getVersion } from '#control-plane/registry/store.ts';
import { openDatabase } from '#control-plane/store/database.ts';
import { migrations } from '#control-plane/store/migrations/provider.ts';
import { nodeSqliteDialect } from '#control-plane/store/node-sqlite-dialect.ts';
import type { Database } from '#control-plane/store/schema.ts';
import { digits } from '../registry/registry-world.ts';

const OLD_REPORT = {
  opsBefore: { Conv: 7 },
  opsAfter: { Conv: 7, QuantizeLinear: 9 },
  leftInFloat: ['Gemm'],
};

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'holdfast-migrations-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

it('variants from before candidates were kept are read, with what is known of them', async () => {
  const { contract } = await digits();
  const first = '0001-first-tables';
  const old = new Kysely<Database>({ dialect: nodeSqliteDialect(join(dataDir, 'holdfast.db')) });
  const provider = {
    getMigrations: () => Promise.resolve({ [first]: migrations('sqlite')[first] as never }),
  };
  await new Migrator({ db: old, provider }).migrateTo(first);
  const at = { created_at_ms: 1 };
  await old
    .insertInto('models')
    .values({ name: 'digits', ...at })
    .execute();
  await old
    .insertInto('versions')
    .values({
      model: 'digits', version: 1, contract_sha256: 'a'.repeat(64), json_contract: JSON.stringify(contract),
      json_evaluation: null, ...at,
    })
    .execute(); // prettier-ignore
  const variant = {
    model: 'digits', version: 1, weights_sha256: 'b'.repeat(64), weights_size_bytes: 70_000, json_evaluation: null,
    json_tolerance: JSON.stringify(contract.golden.tolerance), manifest_sha256: null, ...at,
  } as const; // prettier-ignore
  await old
    .insertInto('variants')
    .values([
      {
        ...variant, profile: 'cpu-generic', release_counter: 3, precision: 'original', json_recipe: '{"kind":"original"}',
        json_report: JSON.stringify({ ...OLD_REPORT, sqnrDb: null }),
      },
      {
        ...variant, profile: 'x86-cpu', release_counter: 4, precision: 'int8',
        json_recipe: '{"kind":"static-int8","activation":"u8","perChannel":true,"reduceRange":true,"calibration":{"method":"minmax","samples":200}}',
        json_report: JSON.stringify({ ...OLD_REPORT, sqnrDb: 31 }),
      },
    ] as never)
    .execute(); // prettier-ignore
  await old.destroy();

  await using store = await openDatabase({ dataDir });
  const [generic, cpu] = (await getVersion(store.db, 'digits', 1)).variants;
  expect(generic).toMatchObject({ report: null, comparison: null, releaseCounter: 3 });
  expect(cpu).toMatchObject({
    recipe: { symmetric: false, floatBias: false },
    comparison: null,
    report: {
      ...OLD_REPORT,
      sqnrDb: 31,
      sizeBytesBefore: contract.weights.sizeBytes,
      sizeBytesAfter: 70_000,
    },
  });
});

it('devices and claims of before there were states keep their keys, and a spent claim stays spent', async () => {
  const before = ['0001-first-tables', '0002-candidates'];
  const old = new Kysely<Database>({ dialect: nodeSqliteDialect(join(dataDir, 'holdfast.db')) });
  const all = migrations('sqlite');
  const provider = {
    getMigrations: () =>
      Promise.resolve(Object.fromEntries(before.map((name) => [name, all[name] as never]))),
  };
  await new Migrator({ db: old, provider }).migrateToLatest();
  const claim = {
    secret_sha256: 'c'.repeat(64),
    profile: null,
    json_labels: '{}',
    expires_at_ms: 9,
    created_at_ms: 1,
  };
  for (const [id, usedBy] of [
    ['usedclaim', 'k'.repeat(64)],
    ['openclaim', null],
  ]) {
    const row = { ...claim, id, device_id: id === 'usedclaim' ? 'gate-1' : 'gate-2', used_by_spki: usedBy };
    await old
      .insertInto('claims')
      .values(row as never)
      .execute();
  }
  const device = {
    id: 'gate-1', profile: 'cpu-generic', json_labels: '{}', online: 0, enrolled_at_ms: 1, desired_seq: 4, reported_seq: 0,
  }; // prettier-ignore
  await old
    .insertInto('devices')
    .values(device as never)
    .execute();
  await old.destroy();

  await using store = await openDatabase({ dataDir });
  const { db } = store;
  expect(await db.selectFrom('devices').selectAll().execute()).toMatchObject([
    {
      id: 'gate-1',
      state: 'active',
      spki_sha256: 'k'.repeat(64),
      desired_seq: 4,
      certificate_expires_ms: null,
    },
  ]);
  expect(await db.selectFrom('claim_uses').selectAll().execute()).toEqual([
    { claim_id: 'usedclaim', spki_sha256: 'k'.repeat(64), device_id: 'gate-1' },
  ]);
  expect(
    await db.selectFrom('claims').select(['id', 'uses', 'used', 'device_id']).orderBy('id').execute(),
  ).toEqual([
    { id: 'openclaim', uses: 1, used: 0, device_id: 'gate-2' },
    { id: 'usedclaim', uses: 1, used: 1, device_id: 'gate-1' },
  ]);
});

it('the first token of before may everything and does not expire; its sessions are over', async () => {
  const names = ['0001-first-tables', '0002-candidates'];
  const old = new Kysely<Database>({ dialect: nodeSqliteDialect(join(dataDir, 'holdfast.db')) });
  const all = Object.entries(migrations('sqlite')).filter(([name]) => names.includes(name));
  const provider = { getMigrations: () => Promise.resolve(Object.fromEntries(all)) };
  await new Migrator({ db: old, provider }).migrateToLatest();
  const token = { id: 'admin', name: 'admin', token_sha256: 'a'.repeat(64), created_at_ms: 1 };
  await old
    .insertInto('api_tokens')
    .values(token as never)
    .execute();
  const session = { id_sha256: 'b'.repeat(64), token_id: 'admin', created_at_ms: 1, expires_at_ms: 9 };
  await old
    .insertInto('sessions')
    .values(session as never)
    .execute();
  await old.destroy();

  await using store = await openDatabase({ dataDir });
  expect(await tokenBySha256(store.db, 'a'.repeat(64))).toEqual({
    id: 'admin', name: 'admin', grants: [{ role: 'admin' }], createdBy: 'system', createdAtMs: 1, expiresAtMs: null,
    lastUsedAtMs: null,
  }); // prettier-ignore
  expect(await store.db.selectFrom('sessions').selectAll().execute()).toEqual([]);
});
