// What a model's own functions grow to when ONNX Runtime puts their nodes in place of each call. Functions that call
// functions multiply, and one that calls itself never ends. Invariant: nothing is expanded, only counted.

import type { OnnxLimits } from './limits.ts';
import { malformed } from './wire.ts';

/** How often operators are used, by `functionKey`. */
export type Calls = Map<string, number>;

/** Operators and functions by domain and name; `ai.onnx` is the default domain. */
export function functionKey(domain: string, name: string): string {
  return `${domain === 'ai.onnx' ? '' : domain}:${name}`;
}

/** Throws `onnx-malformed` for functions that call themselves, or that grow beyond the limit on nodes. */
export function checkFunctions(
  main: Calls,
  functions: ReadonlyMap<string, Calls>,
  limits: Pick<OnnxLimits, 'maxFunctions' | 'maxNodes'>,
): void {
  if (functions.size > limits.maxFunctions)
    throw malformed(`it has more than ${limits.maxFunctions} functions`);
  const sizes = new Map<string, number | 'open'>();
  const sizeOf = (calls: Calls): number => {
    let size = 0;
    for (const [key, count] of calls) {
      size += count * sizeOfCall(key);
      if (size > limits.maxNodes) throw malformed(`its functions grow to more than ${limits.maxNodes} nodes`);
    }
    return size;
  };
  // As deep as there are functions at most.
  const sizeOfCall = (key: string): number => {
    const body = functions.get(key);
    const known = sizes.get(key);
    if (body === undefined) return 1;
    if (known === 'open') throw malformed('a function calls itself');
    if (known !== undefined) return known;
    sizes.set(key, 'open');
    const size = sizeOf(body);
    sizes.set(key, size);
    return size;
  };
  for (const key of functions.keys()) sizeOfCall(key);
  sizeOf(main);
}
