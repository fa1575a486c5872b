/** A label must not grow with what people configure: the first names are their own label, the rest is `other`. */
export class BoundedNames {
  private readonly names = new Set<string>();

  constructor(private readonly most: number) {}

  of(name: string): string {
    if (this.names.has(name)) return name;
    if (this.names.size >= this.most) return 'other';
    this.names.add(name);
    return name;
  }
}
