// Data of an earlier Holdfast, brought up to date.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
