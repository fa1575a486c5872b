/** How far many items have come. */
export interface Tally {
  /** Items of the total that are done. */
  passed: number;
  asked: number;
  delivered: number;
  failed: number;
  /** Asked for, and not finished when we stopped looking. */
  underWay: number;
}
