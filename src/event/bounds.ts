/** To what a token of the API is bound; null: not to any. What lies outside is not seen by it, and not changed. */
export interface Bounds {
  readonly tenants: readonly string[] | null;
  readonly observers: readonly string[] | null;
}

export const UNBOUND: Bounds = { tenants: null, observers: null };

export function isBound({ tenants, observers }: Bounds): boolean {
  return tenants !== null || observers !== null;
}

/** Whether one of these names may be seen; what has none is seen only by who is not bound. */
export function allows(bound: readonly string[] | null, name: string | null): boolean {
  return bound === null || (name !== null && bound.includes(name));
}
