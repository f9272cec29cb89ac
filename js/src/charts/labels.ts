/** A text that has found its place: from where to where, and on which line (0 is the lowest). */
export interface Label {
  left: number;
  right: number;
  level: number;
}

/** The lowest line on which a text from left to right lies on no other. */
export function freeLevel(taken: readonly Label[], left: number, right: number): number {
  const busy = new Set(
    taken.filter(other => other.left < right + 4 && left < other.right + 4).map(other => other.level)
  );
  let level = 0;
  while (busy.has(level)) {
    level += 1;
  }
  return level;
}
