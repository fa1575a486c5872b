/** A try as it is on record; a later one of the same number means that it used up no attempt. */
interface NumberedTry {
  readonly attempt: number;
}

/**
 * What to call each try, in their order. One that the receiver put off (Retry-After), or that was none, uses up no attempt: the next one has
 * its number.
 */
export function triesNamed(tries: readonly NumberedTry[]): string[] {
  return tries.map(({ attempt }, i) => (tries[i + 1]?.attempt === attempt ? `${attempt} (no attempt)` : String(attempt)));
}
