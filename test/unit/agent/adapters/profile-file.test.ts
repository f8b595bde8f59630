import { expect, test } from 'vitest';
import { profileNames, readProfile } from '#agent/adapters/profile-file.ts';

test('every profile that ships can be read on a machine of its kind', async () => {
  const names = await profileNames();
  expect(names).toContain('cpu-generic');
  for (const name of names) {
    const profile = await readProfile(name, name.startsWith('x86') ? 'x64' : 'arm64');
    expect(profile.name).toBe(name);
  }
});

test('an unknown profile is told with those that there are', async () => {
  await expect(readProfile('toaster', 'x64')).rejects.toMatchObject({
    code: 'profile-unknown',
    hint: expect.stringContaining('cpu-generic'),
  });
  await expect(readProfile('../package', 'x64')).rejects.toMatchObject({ code: 'profile-unknown' });
});

test('a profile of another processor is refused', async () => {
  await expect(readProfile('arm64-cpu', 'x64')).rejects.toMatchObject({
    code: 'profile-unknown',
    hint: expect.stringContaining('x64'),
  });
});
