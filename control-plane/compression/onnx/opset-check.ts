// Which operator sets a model may import, and which domains its nodes may come from.

import { HoldfastError } from '#protocol/errors.ts';
import { ALLOWED_DOMAINS, type OnnxLimits } from './limits.ts';

/** Answers the domain. Throws `onnx-opset-unsupported` for one that ONNX Runtime does not serve. */
export function checkDomain(domain: string): string {
  if (ALLOWED_DOMAINS.has(domain)) return domain;
  throw new HoldfastError('onnx-opset-unsupported', `the model uses operators of the domain "${domain}"`, {
    hint: 'export the model with operators of ai.onnx, ai.onnx.ml or com.microsoft only',
  });
}

/** Checks one import and returns its domain, the default one as `''`. Throws `onnx-opset-unsupported`. */
export function checkOpset(domain: string, version: number, limits: OnnxLimits): string {
  checkDomain(domain);
  const isDefault = domain === '' || domain === 'ai.onnx';
  const [lowest, highest] = isDefault ? [limits.minOpset, limits.maxOpset] : [1, limits.maxDomainOpset];
  if (version >= lowest && version <= highest) return isDefault ? '' : domain;
  const message = `the model uses operator set ${version} of "${domain || 'ai.onnx'}"`;
  throw new HoldfastError('onnx-opset-unsupported', message, {
    hint: `export the model with an operator set from ${lowest} to ${highest}`,
  });
}
