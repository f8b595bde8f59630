// The device classes this control plane knows: one JSON file each under firmware-profiles/.

import { readdir, readFile } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { profileSchema, type DeviceProfile } from '#protocol/profile.ts';

export type Profiles = ReadonlyMap<string, DeviceProfile>;

/** The profiles that come with Holdfast. */
export const BUILT_IN_PROFILES = new URL('../../firmware-profiles/', import.meta.url);

/** Reads and checks every profile of a folder. Throws `bad-config` naming the file that is wrong. */
export async function loadProfiles(directory: URL = BUILT_IN_PROFILES): Promise<Profiles> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort();
  const profiles = new Map<string, DeviceProfile>();
  for (const name of names) {
    const profile = parseProfile(name, await readFile(new URL(name, directory), 'utf8'));
    profiles.set(profile.name, profile);
  }
  if (profiles.size === 0) {
    throw new HoldfastError('bad-config', `no device profiles in ${directory.pathname}`, {
      hint: 'put back the firmware-profiles folder',
    });
  }
  return profiles;
}

/** Throws `profile-unknown` with the names there are. */
export function profileByName(profiles: Profiles, name: string): DeviceProfile {
  const profile = profiles.get(name);
  if (profile !== undefined) return profile;
  throw new HoldfastError('profile-unknown', `no device profile is called ${name}`, {
    hint: `the profiles are ${[...profiles.keys()].join(', ')}`,
  });
}

function parseProfile(fileName: string, text: string): DeviceProfile {
  try {
    const profile = profileSchema.parse(JSON.parse(text));
    if (`${profile.name}.json` === fileName) return profile;
  } catch (cause) {
    throw new HoldfastError('bad-config', `the device profile ${fileName} is not valid`, {
      hint: 'it must follow profileSchema of protocol/profile.ts',
      cause,
    });
  }
  throw new HoldfastError('bad-config', `the device profile ${fileName} has another name inside`, {
    hint: 'name the file after the profile',
  });
}
