/** Why a delivery that waited has ended untried, around the number of the change that ended it. */
type Reason = readonly [before: string, after: string];

export const CANCELLED: Reason = ['cancelled by change ', ' (cancel_when)'];
export const COLLAPSED: Reason = ['collapsed into change ', ' (debounce)'];

export function skippedBy([before, after]: Reason, changeNumber: number): string {
  return `${before}${changeNumber}${after}`;
}

/** SQL: the same, of the change number in a column. */
export function skippedBySql([before, after]: Reason, column: string): string {
  return `'${before}' || ${column} || '${after}'`;
}
