// Which blobs devices may have: what signed releases are made of (manifest, weights, golden vectors, and the contract
// and signature of their authors), and nothing else that was ever uploaded. A release never goes away, so an answer of yes is remembered.

import type { Kysely } from 'kysely';
import { modelContractSchema } from '#protocol/model-contract.ts';
import type { Database } from '../store/schema.ts';

const MAX_REMEMBERED = 10_000;

export class ReleasedBlobs {
  readonly #db: Kysely<Database>;
  readonly #remembered = new Set<string>();

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async has(sha256: string): Promise<boolean> {
    if (this.#remembered.has(sha256)) return true;
    const isReleased =
      (await this.#isVariant(sha256)) || (await this.#isSource(sha256)) || (await this.#isGolden(sha256));
    if (!isReleased) return false;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.add(sha256);
    return true;
  }

  async #isVariant(sha256: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('variants')
      .select('model')
      .where('release_counter', 'is not', null)
      .where((where) =>
        where.or([where('weights_sha256', '=', sha256), where('manifest_sha256', '=', sha256)]),
      )
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The contract of a released version, or its authors' signature. */
  async #isSource(sha256: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('variants')
      .innerJoin('versions', (join) =>
        join
          .onRef('versions.model', '=', 'variants.model')
          .onRef('versions.version', '=', 'variants.version'),
      )
      .leftJoin('attestations', (join) =>
        join
          .onRef('attestations.model', '=', 'variants.model')
          .onRef('attestations.version', '=', 'variants.version')
          .on('attestations.kind', '=', 'author-signature'),
      )
      .select('variants.model')
      .where('variants.release_counter', 'is not', null)
      .where((where) =>
        where.or([where('versions.contract_sha256', '=', sha256), where('attestations.sha256', '=', sha256)]),
      )
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  async #isGolden(sha256: string): Promise<boolean> {
    const rows = await this.#db
      .selectFrom('versions')
      .select('json_contract')
      .where('json_contract', 'like', `%${sha256}%`)
      .where((where) =>
        where.exists(
          where
            .selectFrom('variants')
            .select('variants.model')
            .whereRef('variants.model', '=', 'versions.model')
            .whereRef('variants.version', '=', 'versions.version')
            .where('release_counter', 'is not', null),
        ),
      )
      .execute();
    return rows.some(
      (row) => modelContractSchema.parse(JSON.parse(row.json_contract)).golden.sha256 === sha256,
    );
  }
}
