// How much of an untrusted ONNX file the control plane looks at, and which operator sets it takes in.

export interface OnnxLimits {
  readonly maxBytes: number;
  readonly maxNodes: number;
  /** Graphs within graphs (If, Loop, Scan); the main graph is depth 0. */
  readonly maxGraphDepth: number;
  /** Protobuf fields in the whole file; bounds the time an inspection takes. */
  readonly maxFields: number;
  /** ONNX Runtime serves operator sets from 7 on, and compression raises them. */
  readonly minOpset: number;
  readonly maxOpset: number;
}

export const DEFAULT_ONNX_LIMITS: OnnxLimits = {
  maxBytes: 2 ** 31 - 1,
  maxNodes: 200_000,
  maxGraphDepth: 8,
  maxFields: 10_000_000,
  minOpset: 7,
  maxOpset: 23,
};

/** Operator domains that ONNX Runtime serves; `''` and `ai.onnx` are one. */
export const ALLOWED_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);
