import type { Tone } from '../../view/words.ts';

/** A state as a small coloured label; the word says it, the colour helps. */
export function Badge({ tone, children }: { tone: Tone; children: string }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}
