import { Link } from 'wouter-preact';
import { deviceSchema, telemetrySeriesSchema, type TelemetrySeries } from '#protocol/api.ts';
import { fleetView, type FleetRow } from '../../view/fleet-view.ts';
import { percentInWords } from '../../view/words.ts';
import { list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { EventFeed } from '../parts/event-feed.tsx';
import { Notice } from '../parts/notice.tsx';

const RECENT_MS = 300_000;

export function FleetScreen() {
  const nowMs = useNow();
  const devices = useLive(
    () => list('/devices', deviceSchema),
    (event) => event.kind === 'device' || event.kind === 'rollout',
    'fleet',
  );
  const telemetry = useLive(
    () => list(`/telemetry?sinceMs=${Date.now() - RECENT_MS}`, telemetrySeriesSchema),
    (event) => event.kind === 'telemetry' || event.kind === 'device',
    'fleet-telemetry',
  );
  if (devices.value === null) return <Notice problem={devices.problem} />;
  const view = fleetView(devices.value, nowMs);
  return (
    <>
      <h1>Fleet</h1>
      <Notice problem={devices.problem} />
      <dl class="figures">
        <Figure name="online" value={`${view.online}/${view.total}`} />
        <Figure
          name="need attention"
          value={String(view.attention)}
          tone={view.attention > 0 ? 'attention' : 'good'}
        />
        {view.releases.slice(0, 4).map((release) => (
          <Figure key={release.name} name={`run ${release.name}`} value={String(release.devices)} />
        ))}
      </dl>
      <div class="columns">
        <section class="panel">
          {view.rows.length === 0 ? (
            <p class="empty">
              No device has enrolled yet. Make a claim with <code>holdfast claim create</code> and start an
              agent with it.
            </p>
          ) : (
            <table class="cards">
              <thead>
                <tr>
                  <th>Device</th>
                  <th>Runs</th>
                  <th>State</th>
                  <th class="number">p95</th>
                  <th class="number">Accuracy</th>
                </tr>
              </thead>
              <tbody>
                {view.rows.map((row) => (
                  <Row key={row.id} row={row} series={seriesOf(row, telemetry.value ?? [])} />
                ))}
              </tbody>
            </table>
          )}
        </section>
        <EventFeed concerns={(event) => event.kind !== 'telemetry'} />
      </div>
    </>
  );
}

function Row({ row, series }: { row: FleetRow; series: TelemetrySeries | undefined }) {
  return (
    <tr>
      <td data-name="Device">
        <Link href={`/devices/${row.id}`}>{row.id}</Link>
        <small>{row.profile}</small>
      </td>
      <td data-name="Runs">
        {row.running}
        {row.ordered === null ? null : <small>ordered {row.ordered}</small>}
      </td>
      <td data-name="State">
        <Badge tone={row.tone}>{row.state}</Badge>
        {row.why === null ? null : <small>{row.why}</small>}
      </td>
      <td data-name="p95" class="number">
        {series?.p95Ms == null ? '–' : `${series.p95Ms.toFixed(2)} ms`}
      </td>
      <td data-name="Accuracy" class="number">
        {series === undefined || series.labelled === 0
          ? '–'
          : percentInWords(series.correct / series.labelled)}
      </td>
    </tr>
  );
}

/** The recent series of the version that the device runs. */
function seriesOf(row: FleetRow, all: readonly TelemetrySeries[]): TelemetrySeries | undefined {
  return all.find((one) => one.deviceId === row.id && `${one.model} ${one.version}` === row.running);
}

function Figure({ name, value, tone = 'plain' }: { name: string; value: string; tone?: string }) {
  return (
    <div class={tone}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
