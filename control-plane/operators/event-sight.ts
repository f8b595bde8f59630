// Which live events somebody whose grants are narrowed may see: those of what they cover.

import type { LiveEvent } from '#protocol/api.ts';
import type { Permission } from '../http/permission.ts';
import type { Registry } from '../registry/service.ts';
import { coversReach } from '../rollouts/reach.ts';
import type { RolloutService } from '../rollouts/service.ts';

export interface EventSightDeps {
  readonly registry: Pick<Registry, 'getJob'>;
  readonly rollouts: Pick<RolloutService, 'get' | 'reachOf'>;
}

export function eventSight({ registry, rollouts }: EventSightDeps) {
  return async (permission: Permission, { kind, subject }: LiveEvent): Promise<boolean> => {
    switch (kind) {
      case 'device':
      case 'telemetry':
        return await permission.mayOn('viewer', { deviceId: subject });
      case 'model':
        return permission.may('viewer', { model: subject.split('/', 1)[0] ?? '' });
      case 'job':
        return permission.may('viewer', { model: (await registry.getJob(subject)).model });
      case 'rollout':
        return coversReach(permission, 'viewer', await rollouts.reachOf(await rollouts.get(subject)));
      default:
        return permission.may('viewer');
    }
  };
}
