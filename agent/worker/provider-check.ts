// Which execution provider really runs a model, from onnxruntime's own profile of one run. onnxruntime
// falls back to the processor without a word; only the kernels that ran tell the truth. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import type { ExecutionProvider } from '#protocol/profile.ts';

const PROVIDER_NAMES: Readonly<Record<ExecutionProvider, string>> = {
  cpu: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  tensorrt: 'TensorrtExecutionProvider',
};
/** Shape arithmetic legitimately stays on the processor, so a part of the time may be spent there. */
const MIN_TIME_SHARE = 0.5;

/** Kernel time by provider name, microseconds. `profileJson` is onnxruntime's trace: an array of events. */
export function kernelTimeByProvider(profileJson: string): Map<string, number> {
  const events: unknown = JSON.parse(profileJson);
  const timeUs = new Map<string, number>();
  for (const event of Array.isArray(events) ? (events as unknown[]) : []) {
    const { cat, dur, args } = (event ?? {}) as {
      cat?: unknown;
      dur?: unknown;
      args?: { provider?: unknown };
    };
    const provider = args?.provider;
    if (cat !== 'Node' || typeof dur !== 'number' || typeof provider !== 'string') continue;
    timeUs.set(provider, (timeUs.get(provider) ?? 0) + dur);
  }
  return timeUs;
}

/** Throws `provider-missing` unless `asked` ran most of the model, by kernel time. */
export function requireProvider(asked: ExecutionProvider, timeUs: ReadonlyMap<string, number>): void {
  const total = [...timeUs.values()].reduce((sum, value) => sum + value, 0);
  const share = total === 0 ? 0 : (timeUs.get(PROVIDER_NAMES[asked]) ?? 0) / total;
  if (share >= MIN_TIME_SHARE) return;
  const seen = [...timeUs].map(([name, us]) => `${name} ${Math.round((100 * us) / total)} %`).join(', ');
  throw providerMissing(
    asked,
    `${asked} ran ${Math.round(100 * share)} % of the model (${seen || 'no kernel was seen'})`,
  );
}

export function providerMissing(asked: ExecutionProvider, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('provider-missing', `execution provider ${asked} is not in use: ${what}`, {
    hint: `install the ${asked} libraries that this onnxruntime needs, or give the device a profile that asks for cpu`,
    ...(cause === undefined ? {} : { cause }),
  });
}
