import { useContext } from 'preact/hooks';
import type { LiveEvent } from '#protocol/api.ts';
import { agoInWords } from '../../view/words.ts';
import { LiveContext, useNow } from '../live.ts';

/** What happened since the page was opened, newest first. */
export function EventFeed({
  concerns,
  limit = 12,
}: {
  concerns: (event: LiveEvent) => boolean;
  limit?: number;
}) {
  const { feed } = useContext(LiveContext);
  const nowMs = useNow();
  const shown = feed.filter(concerns).slice(0, limit);
  return (
    <section class="panel feed">
      <h2>Happening now</h2>
      {shown.length === 0 ? (
        <p class="empty">Nothing since this page was opened.</p>
      ) : (
        <ul>
          {shown.map((event) => (
            <li key={event.id}>
              <time>{agoInWords(event.atMs, nowMs)}</time>
              <span>
                <b>{event.subject}</b> {event.summary}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
