// Starts the candidate's process in the free slot, loads the model there and warms it up.

import { bytesInWords } from '../../domain/bytes-in-words.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import { candidateSlot } from '../../domain/journal-state.ts';
import { failure, manifestOf, orderOf, type Step } from './step.ts';

export const load: Step = async (context) => {
  const { deps, signal } = context;
  const atMs = (): number => deps.clock.nowMs();
  try {
    const manifest = manifestOf(context);
    const release = { manifest, manifestSha256: orderOf(context).manifestSha256 };
    const slot = candidateSlot(deps.keeper.state);
    const { loaded, warmUpMs } = await deps.slots.loadCandidate(slot, release, signal);
    const { executionProvider, loadMs, rssBytes } = loaded;
    const memory = bytesInWords(rssBytes);
    return {
      event: 'loaded',
      evidence: [
        hardEvidence(
          'load',
          'pass',
          `loaded on ${executionProvider} in ${Math.round(loadMs)} ms, ${memory}`,
          atMs(),
        ),
        hardEvidence('warm-up', 'pass', `${warmUpMs.toFixed(2)} ms a run when warm`, atMs()),
      ],
    };
  } catch (error) {
    return failure(error, { otherwise: 'load-failed', gate: 'load', atMs: atMs() });
  }
};
