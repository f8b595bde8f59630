import { createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { RoleKey, trustKeyOf } from '#control-plane/trust/keys/role-key.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { digestOf } from '#test/fakes/agent-releases.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';
import { authorBundle } from '#test/fakes/author-bundle.ts';

const AUTHOR = RoleKey.generate();

/** Version 1, ordered with the demand for its authors' signature; `signer` made the one that lies there. */
async function orderSigned(signer: RoleKey): Promise<AgentWorld> {
  const world = await AgentWorld.start();
  const { contract } = world.publish(1);
  const sourceSha256 = digestOf(canonicalJson(contract));
  const bundle = world.artifacts.add(
    authorBundle(signer, {
      'contract.json': sourceSha256,
      'golden.safetensors': contract.golden.sha256,
      'weights.onnx': contract.weights.sha256,
    }),
  );
  const order = world.orderSilently(1, 1, { mode: 'direct' });
  const keys = [trustKeyOf(createPublicKey(AUTHOR.privateKey))];
  world.verifier.order = { ...order, sourceSha256, authorSignature: { bundle, keys } };
  const { rolloutId } = order.order;
  world.transport.desired({ rolloutId, seq: 1, targetPath: order.targetPath });
  return world;
}

test('a release goes into service when its authors signed it', async () => {
  const world = await orderSigned(AUTHOR);
  await world.untilState('probation');
  expect(world.serves).toBe(1);
});

test('a release that somebody else signed is refused before its weights are fetched', async () => {
  const world = await orderSigned(RoleKey.generate());
  await world.untilState('failed');
  expect(world.report).toMatchObject({ reason: 'metadata-refused' });
  expect(world.report?.detail).toContain('signature-invalid');
  expect(world.serves).toBeNull();
  expect(world.artifacts.fetched).not.toContain(digestOf('weights of 1'));
});
