// One line for people about a device's event. Pure.

import type { EventBody } from '#protocol/messages.ts';

export function eventNews(deviceId: string, event: Exclude<EventBody, { kind: 'deployment' }>): string {
  switch (event.kind) {
    case 'worker-crash':
      return `${deviceId}: the inference worker crashed on ${event.weightsSha256.slice(0, 12)}: ${event.detail}`;
    case 'local-rollback':
      return `${deviceId} went back by hand from ${event.from.model} ${event.from.version} to ${event.to.version}`;
    case 'refused':
      return `${deviceId} refused an order (${event.code}): ${event.detail}`;
    case 'dropped':
      return `${deviceId} had no room for ${event.telemetryWindows} telemetry windows and dropped them`;
  }
}
