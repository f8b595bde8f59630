// Path patterns of delegations (TUF 1.0 section 4.5): `*` is any run of characters and `?` is any one, neither
// reaches over a slash; everything else stands for itself. Pure; linear in the path for each segment.

/** Whether a target path lies under a pattern. */
export function matchesPattern(path: string, pattern: string): boolean {
  const parts = path.split('/');
  const patterns = pattern.split('/');
  return (
    parts.length === patterns.length && parts.every((part, at) => matchesSegment(part, patterns[at] ?? ''))
  );
}

function matchesSegment(text: string, pattern: string): boolean {
  let at = 0;
  let patternAt = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const expected = pattern[patternAt];
    if (expected === '*') {
      star = patternAt;
      starAt = at;
      patternAt += 1;
    } else if (expected === '?' || expected === text[at]) {
      at += 1;
      patternAt += 1;
    } else if (star >= 0) {
      starAt += 1;
      at = starAt;
      patternAt = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[patternAt] === '*') patternAt += 1;
  return patternAt === pattern.length;
}
