import type { EntityEvent } from '../../event/entity-event';
import type { NamedColumn } from '../path';
import type { Value } from './values';

/** What a condition is evaluated against. */
export interface Scope {
  readonly event: EntityEvent;
  /** Milliseconds since 1970, one reading for the whole condition. */
  readonly now: number;
}

/** What a node is known to yield before it runs; `any` for paths. */
export type NodeType = 'truth' | 'number' | 'text' | 'time' | 'duration' | 'any';

/**
 * One compiled node. `evaluate` is the closure that runs on the hot path; `explain` calls the same closures on each
 * node, so that what is explained cannot differ from what was decided.
 */
export interface Node {
  readonly type: NodeType;
  readonly evaluate: (scope: Scope) => Value;
  readonly start: number;
  readonly end: number;
  /** Sub-expressions worth showing; literals are not. */
  readonly children: readonly Node[];
  /** The one path without which there is no value, or null: explain names it when it is missing. */
  readonly path: string | null;
  /** The steps of a path; undefined otherwise. */
  readonly steps?: readonly (string | number)[];
  /** The column that the node itself names, where that is no path: the argument of a function. */
  readonly names?: { readonly column: string; readonly use: NamedColumn['use']; readonly start: number } | null;
  /** The look-up that the node itself reads. */
  readonly lookup?: string | null;
  /** Whether the node itself reads the clock. */
  readonly clock?: boolean;
  /** The value of a literal; undefined otherwise. */
  readonly literal?: Value;
}
