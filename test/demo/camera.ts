// Cameras: each sends real test images, with their true labels, to one agent's local HTTP, one after
// another at a steady rate. Raw pixels go as an Open Inference Protocol v2 binary tensor.

import { setTimeout as pause } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import type { DigitImages } from './digits-data.ts';

const FRAME_TIMEOUT_MS = 15_000;
/** Neighbouring test images are of like difficulty; a stride without a common factor visits all, well mixed. */
const STRIDE = 7_919;

export interface CameraCounts {
  frames: number;
  correct: number;
  /** Answers other than 200 from a living agent. */
  refused: number;
  /** Frames that found nobody (an agent that was killed and is starting). */
  unreachable: number;
}

export class Cameras implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #counts = new Map<string, CameraCounts>();
  readonly #images: DigitImages;
  readonly #connections = new Agent({ keepAliveTimeout: 10_000 });

  constructor(images: DigitImages) {
    this.#images = images;
  }

  counts(deviceId: string): Readonly<CameraCounts> {
    return this.#counts.get(deviceId) ?? { frames: 0, correct: 0, refused: 0, unreachable: 0 };
  }

  /** Starts a camera at `rateHz` frames a second in front of an agent. */
  watch(deviceId: string, url: string, model: string, rateHz: number): void {
    const counts: CameraCounts = { frames: 0, correct: 0, refused: 0, unreachable: 0 };
    this.#counts.set(deviceId, counts);
    this.#loops.push(this.#film(`${url}/v2/models/${model}/infer`, counts, rateHz, this.#loops.length * 997));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
    await this.#connections.close();
  }

  async #film(url: string, counts: CameraCounts, rateHz: number, firstImage: number): Promise<void> {
    for (let frame = firstImage; !this.#stop.signal.aborted; frame++) {
      const begun = performance.now();
      await this.#send(url, (frame * STRIDE) % this.#images.count, counts);
      const restMs = 1_000 / rateHz - (performance.now() - begun);
      if (restMs > 0) await pause(restMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #send(url: string, index: number, counts: CameraCounts): Promise<void> {
    const { rows, columns, images, labels } = this.#images;
    const size = rows * columns;
    const label = String(labels[index]);
    const header = Buffer.from(
      JSON.stringify({
        inputs: [
          {
            name: 'image',
            datatype: 'UINT8',
            shape: [rows, columns],
            parameters: { binary_data_size: size },
          },
        ],
        parameters: { ground_truth: label },
      }),
    );
    const body = Buffer.concat([header, images.subarray(index * size, (index + 1) * size)]);
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/octet-stream',
          'inference-header-content-length': String(header.length),
        },
        body,
        signal: AbortSignal.timeout(FRAME_TIMEOUT_MS),
        dispatcher: this.#connections,
      });
      const text = await answer.text();
      if (answer.ok) {
        counts.frames++;
        if (bestLabel(text) === label) counts.correct++;
      } else counts.refused++;
    } catch {
      counts.unreachable++;
      await pause(100);
    }
  }
}

function bestLabel(text: string): string | undefined {
  const answer = JSON.parse(text) as { outputs?: { name: string; data?: unknown[] }[] };
  const first = answer.outputs?.find((output) => output.name === 'class_labels')?.data?.[0];
  return typeof first === 'string' ? first : undefined;
}
