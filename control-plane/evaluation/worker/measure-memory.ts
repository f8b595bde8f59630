// Peak memory of this process with one model loaded and run, before anything else takes memory here: what a
// process on a device needs that serves it, runtime included.

import { readFile } from 'node:fs/promises';
import { openSession, runModel } from '../../compression/ort-session.ts';
import { blankImageFeed, type ImageInput } from '../images/image-feeds.ts';

const RUNS = 3;

/** Call it first. Bytes. Throws `contract-mismatch` or `model-load-failed`. */
export async function measureMemory(modelPath: string, contract: ImageInput): Promise<number> {
  const feed = blankImageFeed(contract);
  await using session = await openSession(modelPath, { optimise: true });
  for (let run = 0; run < RUNS; run++) await runModel(session.session, feed);
  return await peakResidentBytes();
}

/** Of this program alone; `maxRSS` of a forked process counts its parent's memory too, where both can be told. */
async function peakResidentBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
  return Number(kibibytes) * 1024;
}
