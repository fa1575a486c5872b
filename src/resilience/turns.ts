/** Something of a party: whose turn it is when several wait. */
export interface Waiting {
  readonly party: string;
}

/** Who waits, in the order of arrival within a party; parties take turns, so that the hundred of one do not stand before the first of another. */
export class Turns<T extends Waiting> {
  /** The party whose turn it is first. None is empty. */
  private readonly parties = new Map<string, Set<T>>();
  size = 0;

  add(one: T): void {
    const party = this.parties.get(one.party);
    if (party === undefined) this.parties.set(one.party, new Set([one]));
    else party.add(one);
    this.size++;
  }

  delete(one: T): boolean {
    const party = this.parties.get(one.party);
    if (party?.delete(one) !== true) return false;
    if (party.size === 0) this.parties.delete(one.party);
    this.size--;
    return true;
  }

  /** Whose turn it is. */
  get next(): T | undefined {
    for (const party of this.parties.values()) for (const one of party) return one;
    return undefined;
  }

  /** It has had its turn: its party's next one waits for the others. */
  took(one: T): void {
    const party = this.parties.get(one.party);
    if (!this.delete(one) || party === undefined || party.size === 0) return;
    this.parties.delete(one.party);
    this.parties.set(one.party, party);
  }
}
