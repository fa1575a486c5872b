/** The observers that are paused, as the leader knows them. Written by the delivery worker only; one for each term. */
export class Pauses {
  private names: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    this.names = new Set(names);
  }

  has(observer: string): boolean {
    return this.names.size > 0 && this.names.has(observer);
  }

  get all(): readonly string[] {
    return [...this.names];
  }

  set(names: Iterable<string>): void {
    this.names = new Set(names);
  }
}
