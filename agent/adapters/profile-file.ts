// Device classes as the package ships them: firmware-profiles/<name>.json, checked against the schema.

import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { profileNameSchema } from '#protocol/identifiers.ts';
import { profileSchema, type DeviceProfile } from '#protocol/profile.ts';

const FOLDER = new URL('../../firmware-profiles/', import.meta.url);

/** Throws `profile-unknown`, also for a profile of another processor than this machine's. */
export async function readProfile(name: string, architecture: string): Promise<DeviceProfile> {
  const known = await profileNames();
  if (!profileNameSchema.safeParse(name).success || !known.includes(name)) {
    throw new HoldfastError('profile-unknown', `there is no profile ${JSON.stringify(name)}`, {
      hint: `choose one of ${known.join(', ')}`,
    });
  }
  const text = await readFile(new URL(`${name}.json`, FOLDER), 'utf8');
  const profile = profileSchema.parse(JSON.parse(text));
  if (profile.architecture !== 'any' && profile.architecture !== architecture) {
    throw new HoldfastError('profile-unknown', `profile ${name} is for ${profile.architecture} processors`, {
      hint: `this machine is ${architecture}; choose a profile for it`,
    });
  }
  return profile;
}

/** Names of all profiles that ship. */
export async function profileNames(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files.filter((file) => file.endsWith('.json')).map((file) => basename(file, '.json')).sort(); // prettier-ignore
}
