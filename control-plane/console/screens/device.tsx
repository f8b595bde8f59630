import { Link } from 'wouter-preact';
import { deviceSchema, telemetrySeriesSchema, type TelemetrySeries } from '#protocol/api.ts';
import { keyInWords } from '../../view/device-decisions.ts';
import { fleetRow } from '../../view/fleet-view.ts';
import { evidenceRow } from '../../view/rollout-view.ts';
import { agoInWords, percentInWords } from '../../view/words.ts';
import { get, list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { DeviceDecisions } from '../parts/device-decisions.tsx';
import { EventFeed } from '../parts/event-feed.tsx';
import { EvidenceList } from '../parts/evidence-list.tsx';
import { Notice } from '../parts/notice.tsx';

export function DeviceScreen({ id }: { id: string }) {
  const nowMs = useNow();
  const device = useLive(
    () => get(`/devices/${id}`, deviceSchema),
    (event) => event.subject === id || event.kind === 'rollout',
    `device-${id}`,
  );
  const telemetry = useLive(
    () => list(`/telemetry?deviceId=${id}`, telemetrySeriesSchema),
    (event) => event.subject === id,
    `telemetry-${id}`,
  );
  if (device.value === null) return <Notice problem={device.problem} />;
  const row = fleetRow(device.value, nowMs);
  const { reported, desired, decision, certificateExpiresAtMs } = device.value;
  const deployment = reported?.deployment ?? null;
  return (
    <>
      <p class="crumbs">
        <Link href="/">Fleet</Link> / {id}
      </p>
      <div class="title">
        <h1>
          {id} <Badge tone={row.tone}>{row.state}</Badge>
        </h1>
      </div>
      {decision === null ? null : (
        <p class="reason">
          {decision.reason} ({decision.actor}, {agoInWords(decision.atMs, nowMs)})
        </p>
      )}
      <DeviceDecisions device={device.value} onDecided={device.reload} />
      <Notice problem={device.problem} />
      <div class="columns">
        <div>
          <section class="panel">
            <dl class="facts">
              <Fact name="Profile">{row.profile}</Fact>
              <Fact name="Link">{row.online ? 'online' : `offline, seen ${row.seen}`}</Fact>
              <Fact name="Runs">
                {reported?.active == null
                  ? 'nothing'
                  : `${row.running}, since ${agoInWords(reported.active.sinceMs, nowMs)}`}
              </Fact>
              <Fact name="Ordered">
                {desired === null ? 'nothing yet' : `${desired.model} ${desired.version}`}
              </Fact>
              <Fact name="Before that">
                {reported?.previous == null ? '–' : `${reported.previous.model} ${reported.previous.version}`}
              </Fact>
              <Fact name="Agent">{reported?.agentVersion ?? '–'}</Fact>
              <Fact name="Key">{keyInWords(device.value)}</Fact>
              <Fact name="Certificate">
                {certificateExpiresAtMs === null
                  ? 'none'
                  : `until ${new Date(certificateExpiresAtMs).toISOString().slice(0, 10)}`}
              </Fact>
            </dl>
          </section>
          {deployment === null ? null : (
            <section class="panel">
              <h2>Last deployment</h2>
              <p>
                {deployment.model === undefined ? 'An order' : `${deployment.model} ${deployment.version}`} of{' '}
                <Link href={`/rollouts/${deployment.rolloutId}`}>{deployment.rolloutId}</Link>:{' '}
                {deployment.state}
                {row.why === null ? '' : `, ${row.why}`}
              </p>
              <EvidenceList evidence={deployment.evidence.map(evidenceRow)} />
            </section>
          )}
          <section class="panel">
            <h2>In service</h2>
            <ServiceTable series={telemetry.value ?? []} />
          </section>
        </div>
        <EventFeed concerns={(event) => event.subject === id} />
      </div>
    </>
  );
}

function ServiceTable({ series }: { series: readonly TelemetrySeries[] }) {
  if (series.length === 0) return <p class="empty">No telemetry yet.</p>;
  return (
    <table class="cards">
      <thead>
        <tr>
          <th>Version</th>
          <th class="number">Requests</th>
          <th class="number">Errors</th>
          <th class="number">p50</th>
          <th class="number">p95</th>
          <th class="number">Accuracy</th>
        </tr>
      </thead>
      <tbody>
        {series.map((one) => (
          <tr key={`${one.model}-${one.version}`}>
            <td data-name="Version">
              {one.model} {one.version}
            </td>
            <td data-name="Requests" class="number">
              {one.requests}
            </td>
            <td data-name="Errors" class="number">
              {one.errors}
            </td>
            <td data-name="p50" class="number">
              {one.p50Ms === null ? '–' : `${one.p50Ms.toFixed(2)} ms`}
            </td>
            <td data-name="p95" class="number">
              {one.p95Ms === null ? '–' : `${one.p95Ms.toFixed(2)} ms`}
            </td>
            <td data-name="Accuracy" class="number">
              {one.labelled === 0 ? '–' : percentInWords(one.correct / one.labelled)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Fact({ name, children }: { name: string; children: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
