// MQTT topic filters, as far as the control plane subscribes: exact levels and `+`.
// Source: MQTT 3.1.1, section 4.7.1.

export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  return wanted.length === levels.length && wanted.every((level, i) => level === '+' || level === levels[i]);
}
