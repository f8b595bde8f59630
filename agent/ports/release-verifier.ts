// What this device is ordered to run, proven: the Director ordered it and the Image repository's authors
// signed it. Invariant: whatever cannot be proven is an error; serving goes on, only installing waits.

import type { BlobRef } from '#protocol/identifiers.ts';
import type { DirectorCustom } from '#protocol/release.ts';
import type { TrustKey } from '#protocol/trust.ts';

/** The authors' OpenSSF signature of a version, where they ask devices to check it. */
export interface AskedSignature {
  readonly bundle: BlobRef;
  /** Keys of the authors' role; one of them must have signed. */
  readonly keys: readonly TrustKey[];
}

export interface VerifiedOrder {
  /** `<model>/<version>/<profile>.json`. */
  readonly targetPath: string;
  /** Of the release manifest's bytes. */
  readonly manifestSha256: string;
  readonly manifestLengthBytes: number;
  /** The Director's own words; `order.seq` is never below the `highestSeq` that was given. */
  readonly order: DirectorCustom;
  /** Lowest release counter of this model that the authors still allow. */
  readonly floor: number;
  /** sha256 of the contract that authors signed as this version's source; null where they signed the release alone. */
  readonly sourceSha256: string | null;
  /** To be checked before anything is loaded; null where nobody asks for it. */
  readonly authorSignature: AskedSignature | null;
}

export interface RefreshOptions {
  /** Highest order number this device ever accepted; the journal keeps it. */
  readonly highestSeq: number;
  readonly signal: AbortSignal;
}

export interface ReleaseVerifier extends AsyncDisposable {
  /**
   * Fetches and checks both repositories; null when the Director orders nothing. Errors: `tuf-expired`,
   * `tuf-rollback` (versions or seq went back), `tuf-signature`, `tuf-mismatch` (the repositories disagree),
   * `tuf-unavailable`, `tuf-wrong-device`, `tuf-below-floor`, `signature-missing`, `disk-full`, `cancelled`.
   */
  refresh(options: RefreshOptions): Promise<VerifiedOrder | null>;
}
