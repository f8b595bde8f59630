// How much of an untrusted ONNX file the control plane looks at, and which operator sets it takes in.

export interface OnnxLimits {
  readonly maxBytes: number;
  readonly maxNodes: number;
  /** Graphs within graphs (If, Loop, Scan); the main graph is depth 0. */
  readonly maxGraphDepth: number;
  /** Protobuf fields and 64-bit list entries in the whole file; bounds the time and memory that reading it takes. */
  readonly maxFields: number;
  /** Inputs and outputs of the main graph; old files list every initializer as an input. */
  readonly maxValues: number;
  readonly maxFunctions: number;
  /** ONNX Runtime serves operator sets from 7 on, and compression raises them. */
  readonly minOpset: number;
  readonly maxOpset: number;
  /** Of the domains beside the default one. */
  readonly maxDomainOpset: number;
  /** Whether tensors may say that their data lies in other files; where they lie is checked when they are opened. */
  readonly allowsExternalData: boolean;
}

export const DEFAULT_ONNX_LIMITS: OnnxLimits = {
  maxBytes: 2 ** 31 - 1,
  maxNodes: 200_000,
  maxGraphDepth: 8,
  maxFields: 10_000_000,
  maxValues: 100_000,
  maxFunctions: 1_000,
  minOpset: 7,
  maxOpset: 23,
  maxDomainOpset: 16,
  allowsExternalData: false,
};

/** Operator domains that ONNX Runtime serves; `''` and `ai.onnx` are one. */
export const ALLOWED_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);
