// Writes docs/api/openapi.json, what a control plane of this checkout serves at /api/v1/openapi.json, and
// docs/access.md, who may do what of it.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '#control-plane/config.ts';
import { createLogger } from '#control-plane/logger.ts';
import { packageVersion } from '#control-plane/package-version.ts';
import { startControlPlane } from '#control-plane/start-control-plane.ts';
import { accessPage } from './access-page.ts';

const OPENAPI_PATH = fileURLToPath(new URL('../../docs/api/openapi.json', import.meta.url));
const ACCESS_PATH = fileURLToPath(new URL('../../docs/access.md', import.meta.url));

const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-openapi-'));
try {
  const version = await packageVersion();
  const flags = ['--http-port', '0', '--mqtt-port', '0', '--gateway-port', '0', '--data-dir', dataDir];
  await using plane = await startControlPlane({
    config: readConfig(flags, {}, version),
    log: createLogger({ level: 'error', write: (line) => void process.stderr.write(line) }),
    packageVersion: version,
  });
  const answer = await fetch(`${plane.httpUrl}/api/v1/openapi.json`);
  await mkdir(dirname(OPENAPI_PATH), { recursive: true });
  const document: unknown = await answer.json();
  await writeFile(OPENAPI_PATH, `${JSON.stringify(document, null, 2)}\n`);
  await writeFile(ACCESS_PATH, accessPage(document));
  console.log(`wrote ${OPENAPI_PATH} and ${ACCESS_PATH}`);
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
