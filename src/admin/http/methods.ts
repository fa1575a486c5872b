import type { HttpServer } from '@nestjs/common';

interface Layer {
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}

/** The methods that a path takes; none where there is no such path. Asked of express, which knows every route. */
export function methodsOf(adapter: HttpServer, path: string): string[] {
  const { router } = adapter.getInstance() as { readonly router: { readonly stack: readonly Layer[] } };
  const methods = new Set<string>();
  for (const layer of router.stack) {
    if (layer.route === undefined || !matches(layer, path)) continue;
    for (const method of Object.keys(layer.route.methods)) if (method !== '_all') methods.add(method.toUpperCase());
  }
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

/** A path with a percent sign that means nothing matches none. */
function matches(layer: Layer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    return false;
  }
}
