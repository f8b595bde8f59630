// One error class for the whole system, with a closed union of codes that programs can switch on.
// `message` says what was wrong, `hint` how to mend it. HTTP maps a code to a status (RFC 9457).

/** Every code and the HTTP status a server answers with when it is the cause of a failed request. */
export const ERROR_STATUS = {
  'bad-request': 400,
  'bad-config': 400,
  'body-too-large': 413,
  'media-type-unsupported': 415,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  conflict: 409,
  'version-exists': 409,
  'wrong-phase': 409,
  'digest-mismatch': 422,
  'length-mismatch': 422,
  'onnx-malformed': 422,
  'onnx-too-large': 413,
  'onnx-opset-unsupported': 422,
  'onnx-external-data': 422,
  'contract-invalid': 422,
  'contract-mismatch': 422,
  'golden-invalid': 422,
  'dataset-invalid': 422,
  'safetensors-malformed': 422,
  'image-invalid': 422,
  'profile-unknown': 422,
  'selector-empty': 422,
  'claim-invalid': 401,
  'claim-spent': 409,
  'claim-expired': 401,
  'ca-mismatch': 401,
  'csr-invalid': 422,
  'identity-missing': 401,
  'approval-pending': 403,
  'device-revoked': 403,
  'device-quarantined': 409,
  'token-expired': 401,
  'signature-missing': 422,
  'signature-invalid': 422,
  'key-invalid': 422,
  'passphrase-wrong': 422,
  'archive-invalid': 422,
  'archive-too-large': 413,
  'address-forbidden': 422,
  'tuf-expired': 422,
  'tuf-rollback': 422,
  'tuf-signature': 422,
  'tuf-mismatch': 422,
  'tuf-unavailable': 503,
  'tuf-wrong-device': 422,
  'tuf-below-floor': 422,
  replayed: 409,
  'download-failed': 503,
  'disk-full': 507,
  'port-busy': 500,
  'data-dir-locked': 500,
  'journal-corrupt': 500,
  'state-corrupt': 500,
  'worker-crashed': 502,
  'worker-hung': 504,
  'model-load-failed': 422,
  'inference-failed': 500,
  'provider-missing': 422,
  'memory-short': 507,
  quarantined: 409,
  overloaded: 503,
  'deadline-exceeded': 504,
  'not-serving': 503,
  'no-previous-version': 409,
  cancelled: 409,
  'rate-limited': 429,
  'compression-failed': 500,
  unavailable: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface ErrorDetails {
  /** What the reader can do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
  }
}

/** The code of any thrown value; what is not a HoldfastError is `internal`. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof HoldfastError ? error.code : 'internal';
}

/** One line for a log or a terminal: code, what was wrong, how to mend it. */
export function describeError(error: unknown): string {
  if (error instanceof HoldfastError) {
    return `${error.code}: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
