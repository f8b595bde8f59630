// Real speech as silero's voice detector takes it: spoken words of Debian's `alsa-utils` (48 kHz, 16 bits, mono) at
// 16 kHz, in windows of 512 samples, the detector's state carried from window to window by the float model.

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { MissingPart, type Outputs, type Subject } from './subject.ts';

const SOUNDS = '/usr/share/sounds/alsa';
const WINDOW = 512;
const RATE_HZ = 16_000;
const DECIMATION = 3;
const STATE = [2, 1, 128];
const SPEECH_AT = 0.5;
const WAV_HEADER_BYTES = 44;
/** Taps of the low-pass filter on each side. */
const TAPS = 24;
const JUDGED = 200;

export async function speechSubject(samples: number): Promise<Subject> {
  const weightsPath = modelPath();
  const feeds = await windowFeeds(weightsPath);
  const every = (count: number, offset: number): TensorFeed[] =>
    Array.from({ length: Math.min(count, feeds.length >> 1) }, (_, index) => {
      const at = 2 * Math.floor((index * (feeds.length >> 1)) / count) + offset;
      return feeds[at] as TensorFeed;
    });
  return {
    weightsPath,
    calibration: every(samples, 0),
    labels: null,
    judged: every(JUDGED, 1).map((feed) => ({
      feed,
      judge: (outputs, float) => ({ won: Number(isSpeech(outputs) === isSpeech(float)), of: 1 }),
    })),
    metric: 'windows with the same verdict as the float model, spoken words',
    latencyPairs: 200,
  };
}

function modelPath(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('@ricky0123/vad-web/package.json');
    return join(dirname(manifest), 'dist/silero_vad_v5.onnx');
  } catch (cause) {
    throw new MissingPart('the package @ricky0123/vad-web is missing: npm install', { cause });
  }
}

/** A feed for each window of all words, in order. */
async function windowFeeds(weightsPath: string): Promise<TensorFeed[]> {
  if (!existsSync(join(SOUNDS, 'Front_Center.wav')))
    throw new MissingPart('real speech is missing: apt-get install alsa-utils');
  const rate = new Uint8Array(BigInt64Array.of(BigInt(RATE_HZ)).buffer);
  const files = (await readdir(SOUNDS)).filter((name) => name.endsWith('.wav')).toSorted();
  await using opened = await openSession(await readFile(weightsPath), { optimise: true });
  const feeds: TensorFeed[] = [];
  for (const file of files) {
    let state = floatFeed(STATE, new Float32Array(STATE.reduce((product, dim) => product * dim, 1)));
    const sound = toModelRate(readWav(await readFile(join(SOUNDS, file))));
    for (let at = 0; at + WINDOW <= sound.length; at += WINDOW) {
      const feed = {
        input: floatFeed([1, WINDOW], sound.slice(at, at + WINDOW)),
        state,
        sr: { dtype: 'INT64', shape: [], data: rate },
      } as const;
      feeds.push(feed);
      const { stateN } = await runModel(opened.session, feed);
      state = floatFeed(STATE, Float32Array.from(stateN?.data as Float32Array));
    }
  }
  return feeds;
}

/** Samples of a mono 16-bit file, -1 to 1. */
function readWav(bytes: Buffer): Float32Array {
  const count = (bytes.length - WAV_HEADER_BYTES) >> 1;
  return Float32Array.from(
    { length: count },
    (_, at) => bytes.readInt16LE(WAV_HEADER_BYTES + 2 * at) / 32_768,
  );
}

/** Every third sample of what a Hann-windowed sinc lets pass. */
function toModelRate(sound: Float32Array): Float32Array {
  const taps = Array.from({ length: 2 * TAPS + 1 }, (_, index) => {
    const x = (index - TAPS) / DECIMATION;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return (sinc * (0.5 + 0.5 * Math.cos((Math.PI * (index - TAPS)) / (TAPS + 1)))) / DECIMATION;
  });
  return Float32Array.from({ length: Math.floor(sound.length / DECIMATION) }, (_, at) =>
    taps.reduce((sum, tap, index) => sum + tap * (sound[DECIMATION * at + index - TAPS] ?? 0), 0),
  );
}

function isSpeech({ output }: Outputs): boolean {
  const probabilities = output?.data as Float32Array | undefined;
  return (probabilities?.[0] ?? NaN) > SPEECH_AT;
}
