import type { Problem } from './problems';

/** A column that the observers file names in a condition, a template, or a list. */
export interface ColumnMention {
  readonly name: string;
  /** `change`: only whether it has changed is asked, which is known of a masked column too. */
  readonly use: 'value' | 'change';
  /** Whether it stands in a template. */
  readonly template: boolean;
  /** Where it stands, and what is to be said of it. */
  readonly tell: (message: string) => Problem;
  /** The observers that use the text: an endpoint belongs to each that sends to it, a look-up to each that lists it. */
  readonly observers: readonly MentioningObserver[];
}

export interface MentioningObserver {
  readonly entities: readonly string[] | '*';
  readonly strictTemplates: boolean;
}

/** A column that a `capture:` entry names. */
export interface CapturedColumn {
  readonly table: string;
  readonly name: string;
  readonly tell: (message: string) => Problem;
}

/** All columns that the file names. */
export interface ColumnMentions {
  readonly mentions: readonly ColumnMention[];
  readonly captured: readonly CapturedColumn[];
  /** Where each captured table is named. */
  readonly tables: readonly { readonly table: string; readonly tell: (message: string) => Problem }[];
}

type Found = Omit<ColumnMention, 'observers'>;

/** Gathers what stands in each text while the file is linked, and who uses the text. */
export class MentionCollector {
  /** By the owner of the text: `observer 0`, `endpoint billing`, `lookup customer`. */
  private readonly found = new Map<string, Found[]>();
  private readonly used = new Map<string, Set<string>>();
  private readonly owners: string[] = [];

  /** What is noted within belongs to the owner. */
  within<T>(owner: string, link: () => T): T {
    this.owners.push(owner);
    try {
      return link();
    } finally {
      this.owners.pop();
    }
  }

  note(mention: Found): void {
    const owner = this.owners.at(-1) ?? '';
    this.found.set(owner, [...(this.found.get(owner) ?? []), mention]);
  }

  /** The owner that is being linked uses the texts of another one. */
  uses(other: string): void {
    const owner = this.owners.at(-1) ?? '';
    this.used.set(owner, (this.used.get(owner) ?? new Set()).add(other));
  }

  /** @param observers in the order of the file */
  mentions(observers: readonly MentioningObserver[]): ColumnMention[] {
    return [...this.found].flatMap(([owner, found]) => {
      const its = observers.filter((_observer, i) => owner === observerOwner(i) || this.used.get(observerOwner(i))?.has(owner) === true);
      return found.map((mention) => ({ ...mention, observers: its }));
    });
  }
}

export function observerOwner(position: number): string {
  return `observer ${position}`;
}
