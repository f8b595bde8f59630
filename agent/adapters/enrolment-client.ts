// The two requests of enrolment. What the server says of itself is believed only as far as it has the key that the
// claim names; the claim's secret travels only over TLS pinned to that authority.

import { enrolmentInfoSchema, enrolResponseSchema } from '#protocol/api.ts';
import type { EnrolmentInfo, EnrolResponse } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { authoritiesOf, authorityWithKey, spkiSha256 } from './authorities.ts';
import { answerOf } from './gateway-request.ts';
import { pinnedHttpsAgent } from './pinned-https.ts';

/**
 * GET {server}/api/v1/enrolment; `caPem` is the claim's authority alone, whatever others were answered. Throws
 * `ca-mismatch` when it is not among them.
 */
export async function fetchEnrolmentInfo(
  server: string,
  caSpkiSha256: string,
  signal: AbortSignal,
): Promise<EnrolmentInfo> {
  const base = server.endsWith('/') ? server : `${server}/`;
  const url = new URL('api/v1/enrolment', base).href;
  const info = await answerOf(url, enrolmentInfoSchema, { method: 'GET', signal });
  const authority = authorityWithKey(info.caPem, caSpkiSha256);
  if (authority !== undefined) return { ...info, caPem: authority.toString() };
  throw new HoldfastError('ca-mismatch', `the authority at ${server} is not the one the claim was made by`, {
    hint: 'check --server; if it is right, the authority was replaced (make a new claim), or somebody stands between',
  });
}

/** POST {gatewayUrl}/enrol over TLS pinned to `caPem`, one authority. Throws what the gateway refuses with. */
export async function postEnrolment(
  { caPem, gatewayUrl }: Pick<EnrolmentInfo, 'caPem' | 'gatewayUrl'>,
  body: { readonly claim: string; readonly csrPem: string; readonly profile: string },
  signal: AbortSignal,
): Promise<EnrolResponse> {
  if (URL.parse(gatewayUrl)?.protocol !== 'https:') {
    throw new HoldfastError('ca-mismatch', `the gateway ${gatewayUrl} is not reached over TLS`, {
      hint: 'check --server; if it is right, somebody stands between, and the claim was not sent',
    });
  }
  const dispatcher = pinnedHttpsAgent(() => ({ caPem }));
  try {
    const asked = { method: 'POST', signal, dispatcher, body } as const;
    const answer = await answerOf(`${gatewayUrl}/enrol`, enrolResponseSchema, asked);
    const isKept = authoritiesOf(caPem).every(
      (pinned) => authorityWithKey(answer.caPem, spkiSha256(pinned)) !== undefined,
    );
    if (isKept) return answer;
    throw new HoldfastError('ca-mismatch', 'the gateway answered with another authority than it has');
  } finally {
    await dispatcher.destroy();
  }
}
