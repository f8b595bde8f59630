// Rounds halves to the even neighbour, as IEEE 754 and numpy do; Math.round rounds them up.

/** The nearest integer; of two equally near, the even one. */
export function roundHalfEven(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}
