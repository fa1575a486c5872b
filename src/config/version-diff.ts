import { createTwoFilesPatch } from 'diff';

/** Two texts of the observers file, and what they are called. */
export interface NamedText {
  readonly name: string;
  readonly source: string;
}

export interface VersionDiff {
  readonly from: string;
  readonly to: string;
  readonly same: boolean;
  /** A unified diff; empty where they are the same. */
  readonly patch: string;
}

/** @param shown what may be shown of a text */
export function diffOf(old: NamedText, next: NamedText, shown: (text: string) => string = (text) => text): VersionDiff {
  const same = old.source === next.source;
  const [before, after] = [shown(old.source), shown(next.source)];
  const patch = before === after ? '' : createTwoFilesPatch(old.name, next.name, before, after, undefined, undefined, { context: 3 });
  return { from: old.name, to: next.name, same, patch };
}
