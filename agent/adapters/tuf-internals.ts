// The one file that reaches into tuf-js: a clock of ours instead of its own, the trusted set to read from,
// and the true cause behind its wrapped errors. It checks what it relies on and fails closed, so that a
// tuf-js that changed cannot pass unseen.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TargetFile } from '@tufjs/models';
import type { Key, Root, Targets } from '@tufjs/models';
import type { Role } from '@tufjs/models/dist/role.js';
import { Updater } from 'tuf-js';
import type { Config, Fetcher } from 'tuf-js';
import { RuntimeError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { HoldfastError } from '#protocol/errors.ts';
import { makeStrict } from './tuf-strict-store.ts';

export type TrustedMetadata = Pick<TrustedMetadataStore, 'root' | 'timestamp' | 'snapshot' | 'targets'>;

export interface FoundTarget {
  readonly target: TargetFile;
  /** `targets`, or a role to which targets itself delegates the path; null for one further down. */
  readonly role: string | null;
  /** What that role signed; targets' own metadata where `role` is null. */
  readonly signed: Targets;
  /** Public keys that root or targets lists for the role. */
  readonly keys: readonly Key[];
}

const VERIFYING_METHODS = [
  'updateRoot',
  'updateTimestamp',
  'updateSnapshot',
  'updateDelegatedTargets',
] as const;

export interface UpdaterOptions {
  /** Holds `root.json` and what was trusted before; files are written in place as they prove good. */
  readonly metadataDir: string;
  readonly metadataBaseUrl: string;
  readonly fetcher: Fetcher;
  readonly config: Partial<Config>;
  /** The moment that expiry is held against, for the whole refresh. */
  readonly now: Date;
  /** The least that now can be under the keys of a root, unix ms. */
  readonly floorMs?: (root: Root) => number;
}

export class ClockedUpdater {
  readonly trusted: TrustedMetadata;
  readonly #updater: Updater;
  readonly #store: TrustedMetadataStore;
  /** The newest failure of a download or a check, cleared by the next success. */
  #lastFailure: unknown;

  constructor(options: UpdaterOptions) {
    const { metadataDir, metadataBaseUrl, config, now, floorMs = () => 0 } = options;
    const fetcher: Fetcher = this.#recordFailures(
      {
        downloadBytes: (url, maxLength) => options.fetcher.downloadBytes(url, maxLength),
        downloadFile: (url, maxLength, handler) => options.fetcher.downloadFile(url, maxLength, handler),
      },
      ['downloadBytes'],
    );
    this.#updater = new Updater({ metadataDir, metadataBaseUrl, fetcher, config });
    const store: unknown = Reflect.get(this.#updater, 'trustedSet');
    if (!(store instanceof TrustedMetadataStore)) throw changed('the updater holds no trusted set');
    if (!(Reflect.get(store, 'referenceTime') instanceof Date))
      throw changed('the trusted set holds no time');
    const readLocal = (role: string): Buffer =>
      readFileSync(join(metadataDir, `${encodeURIComponent(role)}.json`));
    const trusted: unknown = Reflect.get(store, 'trustedSet');
    if (!(trusted instanceof Object)) throw changed('the trusted set has no roles');
    Object.setPrototypeOf(trusted, null); // a role may be called `constructor`
    makeStrict(
      store,
      readLocal('root'),
      { startMs: now.getTime(), floorMs },
      {
        setReferenceTime: (moment) => void Reflect.set(store, 'referenceTime', moment),
        trust: (role, metadata) => void Reflect.set(trusted, role, metadata),
      },
    );
    if (typeof Reflect.get(this.#updater, 'loadLocalMetadata') !== 'function')
      throw changed('local metadata is read elsewhere');
    Reflect.set(this.#updater, 'loadLocalMetadata', readLocal); // tuf-js quotes names when it writes, not when it reads
    this.#store = this.#recordFailures(store, VERIFYING_METHODS);
    this.trusted = store;
  }

  /** TUF 1.0 section 5.3 to 5.6. Throws the cause as tuf-js, the fetcher or the file system gave it. */
  async refresh(): Promise<void> {
    await this.#unwrapped(() => this.#updater.refresh());
  }

  /** TUF 1.0 section 5.6.7: the target as the most trusted delegation describes it, and who that is. */
  async findTarget(path: string): Promise<FoundTarget | undefined> {
    const target = await this.#unwrapped(() => this.#updater.getTargetInfo(path));
    if (target === undefined) return undefined;
    if (!(target instanceof TargetFile) || target.path !== path) throw changed('a target is something else');
    return this.#locate(target, path);
  }

  /** The walk of tuf-js answers with the very object that a role's metadata holds. */
  #locate(target: TargetFile, path: string): FoundTarget {
    const { root, targets } = this.trusted;
    if (targets === undefined) throw changed('a target was found without targets');
    if (targets.signed.targets[path] === target) {
      const keys = keysOf(root.signed.roles.targets, root.signed.keys);
      return { target, role: 'targets', signed: targets.signed, keys };
    }
    const { roles = {}, keys = {} } = targets.signed.delegations ?? {};
    for (const delegation of Object.values(roles)) {
      const metadata = this.#store.getRole(delegation.name);
      if (metadata?.signed.targets[path] !== target || !delegation.isDelegatedPath(path)) continue;
      targets.verifyDelegate(delegation.name, metadata); // tuf-js held it against whoever led there first
      return { target, role: delegation.name, signed: metadata.signed, keys: keysOf(delegation, keys) };
    }
    return { target, role: null, signed: targets.signed, keys: [] };
  }

  /** tuf-js turns the failures of two steps into a RuntimeError with their text alone. */
  async #unwrapped<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw error instanceof RuntimeError ? (this.#lastFailure ?? error) : error;
    }
  }

  #recordFailures<T extends object>(target: T, methods: readonly (keyof T & string)[]): T {
    for (const name of methods) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') throw changed(`there is no ${name}`);
      Reflect.set(target, name, (...args: unknown[]): unknown => {
        const settled = (result: unknown) => {
          this.#lastFailure = undefined;
          return result;
        };
        const failed = (error: unknown): never => {
          this.#lastFailure = error;
          throw error;
        };
        try {
          const result: unknown = Reflect.apply(method, target, args);
          return result instanceof Promise ? result.then(settled, failed) : settled(result);
        } catch (error) {
          return failed(error);
        }
      });
    }
    return target;
  }
}

function keysOf(role: Role | undefined, keys: Readonly<Record<string, Key>>): Key[] {
  return (role?.keyIDs ?? []).flatMap((keyId) => keys[keyId] ?? []);
}

function changed(what: string): HoldfastError {
  return new HoldfastError('internal', `tuf-js is not the version this agent was made for: ${what}`, {
    hint: 'Install the agent with its own lock file.',
  });
}
