// A device's public key as two people compare it, one beside the device and one at the control plane. Pure.

/** The first 128 bits of the key's sha256 (hex), in groups of four digits. */
export function keyFingerprint(keySha256: string): string {
  return (keySha256.slice(0, 32).match(/.{1,4}/g) ?? []).join(' ');
}
